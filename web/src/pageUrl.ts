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
 * | `width=PIXELS` | ask the camera for this width instead of the chosen one |
 * | `camera=0`, `mic=0` | start with the device off |
 * | `lang=TAG` | show the page in this language, as `de` |
 * | `embed=ORIGIN` | in a frame: take commands from pages of this origin, and tell them what happens |
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
  /** Width of the camera's picture; null where the URL names none. */
  width: number | null;
  camera: boolean;
  microphone: boolean;
  /** Tag of the language to show; empty for the person's own. */
  language: string;
  /** Origin of the page that shows this one in a frame; empty where none is named. */
  embedder: string;
}

/** Upper bounds in characters; at most 256 bytes, which is what the server accepts. */
export const ROOM_NAME_MAX = 64;
export const PERSON_NAME_MAX = 64;
/** The server refuses longer tokens. */
const TOKEN_LEN_MAX = 4096;
/** Claims of an invitation. A token with any other claim identifies a person and is not shared. */
const INVITATION_CLAIMS = new Set(['roomId', 'title', 'iat', 'nbf', 'exp', 'iss', 'aud']);
const WIDTH_MIN = 160;
const WIDTH_MAX = 3840;

export function parsePageUrl(url: URL): PageOptions {
  const query = url.searchParams;
  const width = Number(query.get('width'));
  return {
    ...destinationOf(url),
    name: cleanText(query.get('name') ?? ''),
    autojoin: query.get('autojoin') === '1',
    codec: parseCodec(query.get('codec')),
    width: width >= WIDTH_MIN && width <= WIDTH_MAX ? Math.round(width) : null,
    camera: query.get('camera') !== '0',
    microphone: query.get('mic') !== '0',
    language: query.get('lang') ?? '',
    embedder: parseOrigin(query.get('embed') ?? ''),
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

/** Returns the name of the meeting in an invitation, for people to read; empty where it has none. */
export function titleOf({ roomId, token }: Destination): string {
  const { title } = claimsOf(token);
  return isInvitation(token, roomId) && typeof title === 'string' ? cleanText(title) : '';
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

/** Why what a person typed leads to no room; the page has a message for each. */
export type TypedProblem =
  | { code: 'nothingTyped' | 'noRoomInLink' | 'slashInName' | 'tooLong' }
  | { code: 'otherServer'; host: string };

/**
 * Parses what a person typed: a room's name, or a link to a room of this server, perhaps without its beginning.
 * Names are in lower case, so that a room that is named over the phone is one room; links name a room exactly.
 */
export function parseTyped(base: URL, typed: string): Destination | TypedProblem {
  const text = typed.trim();
  if (!text) return { code: 'nothingTyped' };
  const link = linkIn(base, text);
  if (link === 'malformed') return { code: 'slashInName' };
  if (link === 'name') {
    const roomId = cleanText(text).normalize('NFC').toLowerCase();
    return lengthOf(roomId) <= ROOM_NAME_MAX ? { roomId, token: '' } : { code: 'tooLong' };
  }
  if (link.host !== base.host) return { code: 'otherServer', host: link.host };
  const destination = destinationOf(link);
  return destination.roomId ? destination : { code: 'noRoomInLink' };
}

/** The beginning of our own links after the server's name: `/room/tea`, `room/tea`, `?room=tea`, `join?room=tea`. */
const OWN_PATH = /^(\/|\?|room\/|(join|call)\?)/;
/** A server's name, perhaps with a port. */
const HOST = /^(\S+\.\S+|localhost|\S+:\d+)$/;

/** Finds a link in a typed text, or whether it is a name; a text with a slash is none. */
function linkIn(base: URL, text: string): URL | 'name' | 'malformed' {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    return /^https?:/i.test(text) && URL.canParse(text) ? new URL(text) : 'malformed';
  }
  if (OWN_PATH.test(text)) return new URL(text.replace(/^\/+/, ''), base);
  const [start = ''] = text.toLowerCase().split(/[/?]/);
  const hasMore = start.length < text.length;
  if (start !== base.host && !(hasMore && HOST.test(start))) return text.includes('/') ? 'malformed' : 'name';
  const address = `${base.protocol}//${text}`;
  return URL.canParse(address) ? new URL(address) : 'malformed';
}

/** Returns the URL of the server's WebSocket. */
export function webSocketUrl(base: URL): string {
  const socket = new URL('ws', base);
  socket.protocol = base.protocol === 'https:' ? 'wss:' : 'ws:';
  return socket.href;
}

/** Whether the page has content for this address; the server answers others with 404. */
export function isKnownPath(base: URL, { pathname }: URL): boolean {
  // A proxy may serve the folder without its last slash.
  const inFolder = `${pathname}/`.startsWith(base.pathname);
  const path = inFolder ? pathname.slice(base.pathname.length) : pathname;
  return ['', 'index.html', 'join', 'call'].includes(path) || path.startsWith('room/');
}

/** Control characters, invisible ones, and those that turn the direction of what others read (Unicode UAX #9). */
const CONTROLS = /[\p{Cc}\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/gu;

/** Collapses white space, and removes control characters and halves of characters. */
export function cleanText(value: string): string {
  const whole = value.toWellFormed().replaceAll('\ufffd', '');
  return whole.replaceAll(/\s+/g, ' ').replaceAll(CONTROLS, '').trim();
}

/** Returns the number of characters, however many units of UTF-16 they take. */
export function lengthOf(value: string): number {
  return [...value].length;
}

/** Returns the beginning of a text. */
export function cutText(value: string, lengthMax: number): string {
  return [...value].slice(0, lengthMax).join('').trim();
}

function destinationOf(url: URL): Destination {
  const query = url.searchParams;
  const token = (query.get('token') ?? query.get('inviteToken') ?? '').trim();
  return { roomId: roomOf(url), token: token.length <= TOKEN_LEN_MAX ? token : '' };
}

/** Returns the room that a URL names; empty for none, and for one with a name that no room has. */
function roomOf(url: URL): string {
  const room = cleanText(roomTextOf(url));
  return lengthOf(room) <= ROOM_NAME_MAX ? room : '';
}

function roomTextOf(url: URL): string {
  const inQuery = url.searchParams.get('room');
  if (inQuery) return inQuery;
  // The path before it is that of a reverse proxy, possibly of another server.
  const inPath = /\/room\/([^/]+)\/?$/.exec(url.pathname)?.[1];
  return inPath ? decodeSafely(inPath) : '';
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

/** Returns the origin of an address of the web; empty for anything else. */
function parseOrigin(value: string): string {
  return /^https?:\/\//i.test(value) && URL.canParse(value) ? new URL(value).origin : '';
}

function parseCodec(value: string | null): VideoCodec | null {
  const lower = value?.toLowerCase();
  return lower === 'vp8' || lower === 'vp9' || lower === 'h264' ? lower : null;
}
