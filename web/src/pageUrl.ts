/**
 * The page's URL: the room and options in it, and the links made from it. Pure. `base` is the folder of
 * the page, as in `basePath.ts`.
 * Reads claims of tokens without verifying them, to decide which may be shared.
 *
 * | option | meaning |
 * |---|---|
 * | `room=NAME` | open this room (also `/room/NAME`, `/join?room=`, `/call?room=`) |
 * | `token=JWT` | join token (also `inviteToken=JWT`) |
 * | `name=NAME` | the person's name |
 * | `autojoin=1` | join without the preview |
 * | `codec=vp8\|vp9\|h264` | send video in this codec |
 * | `width=PIXELS` | ask the camera for this width instead of 1280 |
 * | `camera=0`, `mic=0` | start with the device off |
 */
import type { VideoCodec } from './media';

/** A room and the token to join it. */
export interface Destination {
  roomId: string;
  /** Empty where the room's name is enough. */
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
/** The server refuses longer tokens. */
const TOKEN_LEN_MAX = 4096;
/** Claims of an invitation. A token with any other claim identifies a person and is not shared. */
const INVITATION_CLAIMS = new Set(['roomId', 'iat', 'nbf', 'exp', 'iss', 'aud']);
export const PERSON_NAME_MAX = 40;
const WIDTH_DEFAULT = 1280;
const WIDTH_MIN = 160;
const WIDTH_MAX = 3840;

export function parsePageUrl(url: URL): PageOptions {
  const query = url.searchParams;
  const width = Number(query.get('width') ?? WIDTH_DEFAULT);
  return {
    ...destinationOf(url),
    name: normaliseText(query.get('name') ?? '', PERSON_NAME_MAX),
    autojoin: query.get('autojoin') === '1',
    codec: parseCodec(query.get('codec')),
    width: width >= WIDTH_MIN && width <= WIDTH_MAX ? Math.round(width) : WIDTH_DEFAULT,
    camera: query.get('camera') !== '0',
    microphone: query.get('mic') !== '0',
  };
}

/** Returns the link to share. It carries the token only if that is an invitation to the room. */
export function roomLink(base: URL, { roomId, token }: Destination): string {
  const invites = isInvitation(token, roomId);
  const link = new URL(invites ? 'join' : '.', base);
  link.searchParams.set('room', roomId);
  if (invites) link.searchParams.set('token', token);
  return link.href;
}

/** Whether the token has no claims beyond those of an invitation to this room. */
export function isInvitation(token: string, roomId: string): boolean {
  const claims = claimsOf(token);
  return claims.roomId === roomId && Object.keys(claims).every((name) => INVITATION_CLAIMS.has(name));
}

/** Returns the URL with the room and token replaced and the other options kept. */
export function urlForRoom(base: URL, url: URL, { roomId, token }: Destination): string {
  const next = new URL('.', base);
  next.search = url.search;
  for (const name of ['room', 'token', 'inviteToken']) next.searchParams.delete(name);
  if (roomId) next.searchParams.set('room', roomId);
  if (roomId && token) next.searchParams.set('token', token);
  return next.pathname + next.search;
}

/** Parses what a person typed: a room's name or a link to a room. */
export function parseDestination(typed: string): Destination {
  const trimmed = typed.trim();
  if (/^https?:\/\//i.test(trimmed) && URL.canParse(trimmed)) return destinationOf(new URL(trimmed));
  return { roomId: normaliseText(trimmed, ROOM_NAME_MAX), token: '' };
}

/** Returns the URL of the server's WebSocket. */
export function webSocketUrl(base: URL): string {
  const socket = new URL('ws', base);
  socket.protocol = base.protocol === 'https:' ? 'wss:' : 'ws:';
  return socket.href;
}

/** Collapses white space and truncates. */
export function normaliseText(value: string, lengthMax: number): string {
  return value.replaceAll(/\s+/g, ' ').trim().slice(0, lengthMax);
}

function destinationOf(url: URL): Destination {
  const query = url.searchParams;
  const token = (query.get('token') ?? query.get('inviteToken') ?? '').trim();
  return { roomId: roomOf(url), token: token.length <= TOKEN_LEN_MAX ? token : '' };
}

function roomOf(url: URL): string {
  const inQuery = url.searchParams.get('room');
  if (inQuery) return normaliseText(inQuery, ROOM_NAME_MAX);
  // The path before it is that of a reverse proxy, possibly of another server.
  const inPath = /\/room\/([^/]+)\/?$/.exec(url.pathname)?.[1];
  return inPath ? normaliseText(decodeSafely(inPath), ROOM_NAME_MAX) : '';
}

function decodeSafely(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Returns the token's claims without verifying them; empty when they cannot be decoded. */
function claimsOf(token: string): Record<string, unknown> {
  try {
    const [, payload = ''] = token.split('.');
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (character) =>
      character.charCodeAt(0),
    );
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === 'object' && claims !== null ? (claims as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function parseCodec(value: string | null): VideoCodec | null {
  const lower = value?.toLowerCase();
  return lower === 'vp8' || lower === 'vp9' || lower === 'h264' ? lower : null;
}
