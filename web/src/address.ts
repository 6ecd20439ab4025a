/**
 * The page's address: which room it names, the options it carries, and the link
 * to send to others. Pure. It never judges a token: it only sees whether one may
 * be passed on.
 *
 * | option | meaning |
 * |---|---|
 * | `room=NAME` | go to this room (also `/room/NAME`, `/join?room=`, `/call?room=`) |
 * | `token=JWT` | what lets the person in (also `inviteToken=JWT`) |
 * | `name=NAME` | the person's name |
 * | `autojoin=1` | join without the preview |
 * | `codec=vp8\|vp9\|h264` | send video in this codec |
 * | `width=PIXELS` | ask the camera for this width instead of 1280 |
 * | `camera=0`, `mic=0` | start with it off |
 */
import type { VideoCodec } from './media';

/** A room, and what opens it where a name is not enough. */
export interface Destination {
  roomId: string;
  /** A token of the server's, or nothing. */
  token: string;
}

export interface PageOptions extends Destination {
  name: string;
  autojoin: boolean;
  codec: VideoCodec | null;
  width: number;
  camera: boolean;
  microphone: boolean;
}

const ROOM_NAME_MAX = 64;
/** What the server reads at most. */
const TOKEN_LEN_MAX = 4096;
/** All that an invitation says: which room, made when, until when. Whatever says more is somebody's own. */
const INVITATION_CLAIMS = new Set(['roomId', 'iat', 'nbf', 'exp', 'iss', 'aud']);
export const PERSON_NAME_MAX = 40;
const WIDTH_DEFAULT = 1280;
const WIDTH_MIN = 160;
const WIDTH_MAX = 3840;

export function readAddress(address: URL): PageOptions {
  const query = address.searchParams;
  const width = Number(query.get('width') ?? WIDTH_DEFAULT);
  return {
    ...destinationOf(address),
    name: tidy(query.get('name') ?? '', PERSON_NAME_MAX),
    autojoin: query.get('autojoin') === '1',
    codec: codecOf(query.get('codec')),
    width: width >= WIDTH_MIN && width <= WIDTH_MAX ? Math.round(width) : WIDTH_DEFAULT,
    camera: query.get('camera') !== '0',
    microphone: query.get('mic') !== '0',
  };
}

/** The link that brings others to the room. It carries the token only where that is an invitation of the room. */
export function roomLink(address: URL, { roomId, token }: Destination): string {
  const invites = isInvitation(token, roomId);
  const link = new URL(invites ? '/join' : '/', address);
  link.searchParams.set('room', roomId);
  if (invites) link.searchParams.set('token', token);
  return link.href;
}

/** Whether this token says no more than that its bearer may come into this room. */
export function isInvitation(token: string, roomId: string): boolean {
  const claims = claimsOf(token);
  return claims.roomId === roomId && Object.keys(claims).every((name) => INVITATION_CLAIMS.has(name));
}

/** The same address, at another room or at none, with its other options kept. A token is left behind with its room. */
export function withRoom(address: URL, { roomId, token }: Destination): string {
  const next = new URL('/', address);
  next.search = address.search;
  for (const name of ['room', 'token', 'inviteToken']) next.searchParams.delete(name);
  if (roomId) next.searchParams.set('room', roomId);
  if (roomId && token) next.searchParams.set('token', token);
  return next.pathname + next.search;
}

/** Where a person wants to go who typed a room's name or pasted a link to a room. */
export function destination(typed: string): Destination {
  const trimmed = typed.trim();
  if (/^https?:\/\//i.test(trimmed) && URL.canParse(trimmed)) return destinationOf(new URL(trimmed));
  return { roomId: tidy(trimmed, ROOM_NAME_MAX), token: '' };
}

/** Where the server's WebSocket is for a page at this address. */
export function socketUrl(address: URL): string {
  const url = new URL('/ws', address);
  url.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

export function tidy(value: string, most: number): string {
  return value.replaceAll(/\s+/g, ' ').trim().slice(0, most);
}

function destinationOf(address: URL): Destination {
  const query = address.searchParams;
  const token = (query.get('token') ?? query.get('inviteToken') ?? '').trim();
  return { roomId: roomOf(address), token: token.length <= TOKEN_LEN_MAX ? token : '' };
}

function roomOf(address: URL): string {
  const inQuery = address.searchParams.get('room');
  if (inQuery) return tidy(inQuery, ROOM_NAME_MAX);
  const inPath = /^\/room\/([^/]+)\/?$/.exec(address.pathname)?.[1];
  return inPath ? tidy(decodeSafely(inPath), ROOM_NAME_MAX) : '';
}

function decodeSafely(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** What a token says, unverified; nothing when it cannot be read. */
function claimsOf(token: string): Record<string, unknown> {
  try {
    const [, payload = ''] = token.split('.');
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (letter) =>
      letter.charCodeAt(0),
    );
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === 'object' && claims !== null ? (claims as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function codecOf(value: string | null): VideoCodec | null {
  const lower = value?.toLowerCase();
  return lower === 'vp8' || lower === 'vp9' || lower === 'h264' ? lower : null;
}
