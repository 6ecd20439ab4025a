/**
 * Browser storage. `localStorage` keeps the person's name, devices, language and host tokens;
 * `sessionStorage` keeps the call of this tab, so that a reload returns to it. The
 * only file that touches storage. Where storage is forbidden, nothing is kept and
 * nothing fails.
 */
import { BACKGROUNDS, type Background } from './background/messages';
import { knownQuality, type CameraQuality } from './cameraQuality';
import { generateSecret } from './randomSecret';

export interface PersonSettings {
  name: string;
  cameraId: string;
  microphoneId: string;
  speakerId: string;
}

export interface OngoingCall {
  roomId: string;
  name: string;
  camera: boolean;
  microphone: boolean;
}

/** A token that makes its bearer the host of a room; kept out of URLs, because people share them. */
interface StoredHostToken {
  roomId: string;
  token: string;
}

/** More rooms than a person hosts in one day, the lifetime of the tokens. */
const HOST_TOKENS_MAX = 20;

const PERSON_KEY = 'watersmeet.person';
const CAMERA_QUALITY_KEY = 'watersmeet.cameraQuality';
const HOST_TOKENS_KEY = 'watersmeet.hosting';
const CALL_KEY = 'watersmeet.call';
const TAB_KEY = 'watersmeet.tab';
const SAVE_DATA_KEY = 'watersmeet.saveData';
const LAST_READ_KEY = 'watersmeet.lastRead';
const LANGUAGE_KEY = 'watersmeet.language';
const BACKGROUND_KEY = 'watersmeet.background';
const BACKGROUND_PICTURE_KEY = 'watersmeet.backgroundPicture';

export function loadPersonSettings(): PersonSettings {
  const { name, cameraId, microphoneId, speakerId } = read(localStorageOrNull(), PERSON_KEY);
  return { name: text(name), cameraId: text(cameraId), microphoneId: text(microphoneId), speakerId: text(speakerId) };
}

export function savePersonSettings(value: PersonSettings): void {
  write(localStorageOrNull(), PERSON_KEY, value);
}

/** Returns the quality that the person chose for the camera, and the default where they chose none. */
export function loadCameraQuality(): CameraQuality {
  const { width, frameRate } = read(localStorageOrNull(), CAMERA_QUALITY_KEY);
  return knownQuality(width, frameRate);
}

export function saveCameraQuality(quality: CameraQuality): void {
  write(localStorageOrNull(), CAMERA_QUALITY_KEY, quality);
}

export function loadOngoingCall(): OngoingCall | null {
  const { roomId, name, camera, microphone } = read(sessionStorageOrNull(), CALL_KEY);
  if (!text(roomId)) return null;
  return { roomId: text(roomId), name: text(name), camera: camera === true, microphone: microphone === true };
}

/** Saves the call of this tab; null removes it. */
export function saveOngoingCall(value: OngoingCall | null): void {
  write(sessionStorageOrNull(), CALL_KEY, value);
}

/** Returns whether this tab receives and sends no cameras, to save data. */
export function loadSaveData(): boolean {
  return read(sessionStorageOrNull(), SAVE_DATA_KEY)['on'] === true;
}

export function saveSaveData(on: boolean): void {
  write(sessionStorageOrNull(), SAVE_DATA_KEY, { on });
}

/** Returns the tag of the language that the person chose; empty where the browser's languages decide. */
export function loadLanguage(): string {
  return text(read(localStorageOrNull(), LANGUAGE_KEY)['tag']);
}

export function saveLanguage(tag: string): void {
  write(localStorageOrNull(), LANGUAGE_KEY, { tag });
}

/** Returns what the person chose to show behind them. */
export function loadBackground(): Background {
  const { chosen } = read(localStorageOrNull(), BACKGROUND_KEY);
  return BACKGROUNDS.find((background) => background === chosen) ?? 'none';
}

export function saveBackground(chosen: Background): void {
  write(localStorageOrNull(), BACKGROUND_KEY, { chosen });
}

/** Returns the person's own picture for the background, in base64; empty without one. */
export function loadBackgroundPicture(): string {
  return text(read(localStorageOrNull(), BACKGROUND_PICTURE_KEY)['jpeg']);
}

export function saveBackgroundPicture(jpeg: string): void {
  write(localStorageOrNull(), BACKGROUND_PICTURE_KEY, { jpeg });
}

/** Returns the id of the last chat message of a room that this tab has read; 0 for none. */
export function loadLastReadMessage(roomId: string): number {
  const { room, id } = read(sessionStorageOrNull(), LAST_READ_KEY);
  return room === roomId && typeof id === 'number' ? id : 0;
}

export function saveLastReadMessage(roomId: string, id: number): void {
  write(sessionStorageOrNull(), LAST_READ_KEY, { room: roomId, id });
}

/**
 * Returns the secret of this tab, by which the server recognises it after a reload or an outage.
 * Generates it at first.
 */
export function loadTabSecret(): string {
  const store = sessionStorageOrNull();
  const known = text(read(store, TAB_KEY)['secret']);
  if (known) return known;
  const secret = generateSecret();
  write(store, TAB_KEY, { secret });
  return secret;
}

/** Returns the host token of a room that this browser created; empty for other rooms. */
export function loadHostToken(roomId: string): string {
  return loadHostTokens().find((stored) => stored.roomId === roomId)?.token ?? '';
}

export function saveHostToken(roomId: string, token: string): void {
  const others = loadHostTokens().filter((stored) => stored.roomId !== roomId);
  write(localStorageOrNull(), HOST_TOKENS_KEY, { rooms: [{ roomId, token }, ...others].slice(0, HOST_TOKENS_MAX) });
}

function loadHostTokens(): StoredHostToken[] {
  const { rooms } = read(localStorageOrNull(), HOST_TOKENS_KEY);
  if (!Array.isArray(rooms)) return [];
  return rooms.map((stored: Partial<StoredHostToken> | null) => ({
    roomId: text(stored?.roomId),
    token: text(stored?.token),
  }));
}

function localStorageOrNull(): Storage | null {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

function sessionStorageOrNull(): Storage | null {
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
    // When the store is full or forbidden, the page works without it.
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
