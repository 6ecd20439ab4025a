/**
 * What this browser remembers: for good, the person's name and devices, and what
 * makes it the host of the rooms it made; for this tab, the call it is in, so
 * that a reload goes back to it. The only file that touches storage. Storage may
 * be forbidden: then nothing is remembered, and nothing breaks.
 */

export interface Person {
  name: string;
  cameraId: string;
  microphoneId: string;
}

export interface OngoingCall {
  roomId: string;
  name: string;
  camera: boolean;
  microphone: boolean;
}

/** What makes one the host of a room; never part of an address, which people pass on. */
interface Hosting {
  roomId: string;
  token: string;
}

/** More rooms than anybody hosts on one day, which is how long the tokens hold. */
const HOSTINGS_MAX = 20;

const PERSON = 'watersmeet.person';
const HOSTINGS = 'watersmeet.hosting';
const CALL = 'watersmeet.call';

export function person(): Person {
  const { name, cameraId, microphoneId } = read(localStorageOrNone(), PERSON);
  return { name: text(name), cameraId: text(cameraId), microphoneId: text(microphoneId) };
}

export function rememberPerson(value: Person): void {
  write(localStorageOrNone(), PERSON, value);
}

export function ongoingCall(): OngoingCall | null {
  const { roomId, name, camera, microphone } = read(sessionStorageOrNone(), CALL);
  if (!text(roomId)) return null;
  return { roomId: text(roomId), name: text(name), camera: camera === true, microphone: microphone === true };
}

export function rememberCall(value: OngoingCall | null): void {
  write(sessionStorageOrNone(), CALL, value);
}

/** What makes this browser the host of a room it made; empty for other rooms. */
export function hostToken(roomId: string): string {
  return hostings().find((one) => one.roomId === roomId)?.token ?? '';
}

export function rememberHosting(roomId: string, token: string): void {
  const others = hostings().filter((one) => one.roomId !== roomId);
  write(localStorageOrNone(), HOSTINGS, { rooms: [{ roomId, token }, ...others].slice(0, HOSTINGS_MAX) });
}

function hostings(): Hosting[] {
  const { rooms } = read(localStorageOrNone(), HOSTINGS);
  if (!Array.isArray(rooms)) return [];
  return rooms.map((one: Partial<Hosting> | null) => ({ roomId: text(one?.roomId), token: text(one?.token) }));
}

function localStorageOrNone(): Storage | null {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

function sessionStorageOrNone(): Storage | null {
  try {
    return sessionStorage;
  } catch {
    return null;
  }
}

function read(store: Storage | null, key: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(store?.getItem(key) ?? '{}');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function write(store: Storage | null, key: string, value: object | null): void {
  try {
    if (value === null) store?.removeItem(key);
    else store?.setItem(key, JSON.stringify(value));
  } catch {
    // A full or forbidden store only costs the memory.
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
