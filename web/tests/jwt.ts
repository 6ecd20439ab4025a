/** Signs JSON Web Tokens for the tests' own servers. */
import { createHmac } from 'node:crypto';

const LIFETIME_S = 3_600;

/** Returns a token signed with HS256 that is valid for an hour unless the claims say otherwise. */
export function signToken(claims: object, secret: string): string {
  const nowS = Math.floor(Date.now() / 1_000);
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const payload = { iat: nowS, exp: nowS + LIFETIME_S, ...claims };
  const body = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(payload)}`;
  return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
}
