/** Options of a `Room`, and reasons why it cannot be joined. */
import type { ReadonlySignal } from '@preact/signals-core';
import type { CreateMedia } from './media';
import type { LocalTracks } from './producers';
import type { Devices } from './qualityReporter';
import type { SignallingConnection, SignallingEvents } from './signalling';
import type { VideoCodec } from './videoCodec';

/** Why joining failed; the page has a message for each reason. */
export interface JoinFailure {
  reason: 'unreachable' | 'unsupported' | 'refused';
  /** The server's message. */
  message: string;
  /** The server's refusal code; empty for other reasons. */
  code: string;
}

/** Codes of refusals that another attempt to join cannot change. */
export const FINAL_REFUSALS: ReadonlySet<string> = new Set([
  'bad-request',
  'banned',
  'forbidden',
  'invalid-token',
  'limit-reached',
  'room-locked',
  'room-not-found',
]);

/** Who joins. */
export interface Identity {
  displayName: string;
  /** Join token; empty where the room's name is enough. */
  token: string;
  /** Secret by which the server recognises this tab when it comes back. */
  resume: string;
}

export interface RoomOptions {
  roomId: string;
  /** Returns who joins; called by `join`. */
  identify(): Identity;
  /** Codec from the page's URL; it takes precedence over the server's. */
  codec: VideoCodec | null;
  tracks: LocalTracks;
  /** Returns the state of the person's devices, for reports to a server that keeps a history of calls. */
  devices?: () => Devices;
  /** Whether the cameras of others are not to be received. */
  saveData: ReadonlySignal<boolean>;
  createSignalling(events: SignallingEvents): SignallingConnection;
  createMedia: CreateMedia;
}
