/**
 * The page's address: which room it names, the options it carries, and the link
 * to send to others. Pure.
 *
 * | option | meaning |
 * |---|---|
 * | `room=NAME` | go to this room (also `/room/NAME`) |
 * | `name=NAME` | the person's name |
 * | `autojoin=1` | join without the preview |
 * | `codec=vp8\|vp9\|h264` | send video in this codec |
 * | `width=PIXELS` | ask the camera for this width instead of 1280 |
 * | `camera=0`, `mic=0` | start with it off |
 */
import type { VideoCodec } from './media';

export interface PageOptions {
  roomId: string;
  name: string;
  autojoin: boolean;
  codec: VideoCodec | null;
  width: number;
  camera: boolean;
  microphone: boolean;
}

const ROOM_NAME_MAX = 64;
export const PERSON_NAME_MAX = 40;
const WIDTH_DEFAULT = 1280;
const WIDTH_MIN = 160;
const WIDTH_MAX = 3840;

export function readAddress(address: URL): PageOptions {
  const query = address.searchParams;
  const width = Number(query.get('width') ?? WIDTH_DEFAULT);
  return {
    roomId: roomOf(address),
    name: tidy(query.get('name') ?? '', PERSON_NAME_MAX),
    autojoin: query.get('autojoin') === '1',
    codec: codecOf(query.get('codec')),
    width: width >= WIDTH_MIN && width <= WIDTH_MAX ? Math.round(width) : WIDTH_DEFAULT,
    camera: query.get('camera') !== '0',
    microphone: query.get('mic') !== '0',
  };
}

/** The link that brings others to the room. */
export function roomLink(address: URL, roomId: string): string {
  const link = new URL('/', address);
  link.searchParams.set('room', roomId);
  return link.href;
}

/** The same address, at another room or at none, with its other options kept. */
export function withRoom(address: URL, roomId: string): string {
  const next = new URL('/', address);
  next.search = address.search;
  if (roomId) next.searchParams.set('room', roomId);
  else next.searchParams.delete('room');
  return next.pathname + next.search;
}

/** The room meant by what a person typed or pasted: a name, or a link to a room. */
export function roomFromText(typed: string): string {
  const trimmed = typed.trim();
  if (/^https?:\/\//i.test(trimmed) && URL.canParse(trimmed)) return roomOf(new URL(trimmed));
  return tidy(trimmed, ROOM_NAME_MAX);
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

function codecOf(value: string | null): VideoCodec | null {
  const lower = value?.toLowerCase();
  return lower === 'vp8' || lower === 'vp9' || lower === 'h264' ? lower : null;
}
