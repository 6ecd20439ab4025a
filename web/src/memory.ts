/**
 * What this browser remembers: for good, the person's name and devices; for this
 * tab, the call it is in, so that a reload goes back to it. The only file that
 * touches storage. Storage may be forbidden: then nothing is remembered, and
 * nothing breaks.
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

const PERSON = 'watersmeet.person';
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
