/** The signalling connection as the room sees it: requests, notices and the ways a request fails. */
import type { FailureReason, NotificationContent } from './notifications';
import type { Connected, Notice, PayloadOf, ReplyOf, RequestType } from './protocol';

/** Callbacks of a signalling connection. */
export interface SignallingEvents {
  /** The server sent its greeting: requests may be sent. */
  onConnected(greeting: Connected): void;
  onNotice(notice: Notice): void;
  /**
   * The connection was lost or could not be opened; the next attempt starts in `retryMs`. `keepsSession` says that the
   * attempt resumes the session: requests wait for it. `onResumed` or `onConnected` follows.
   */
  onDisconnected(retryMs: number, keepsSession: boolean): void;
  /**
   * The session goes on over a new connection. The notices of the gap follow. `afterSilence` says that nothing arrived on
   * the connection before, although it was open: media may be on a path that leads nowhere, too.
   */
  onResumed(afterSilence: boolean): void;
  /** The connection is open and nothing arrives any more, or something does again. */
  onSilence(silent: boolean): void;
  /** This page did not run for a while: the device was asleep, or the browser had stopped the tab. */
  onWake(): void;
}

/** A connection to the server that reconnects until it is closed; `SignallingSocket` implements it. */
export interface SignallingConnection {
  open(): void;
  close(): void;
  /** Reconnects at once instead of waiting for the backoff to end, or for a silent server. */
  retryNow(): void;
  /** Resumes the session after a lost connection from now on; `secret` is that of the join. */
  keepSession(secret: string): void;
  /** Rejects with `Refusal` when the server refuses, with `ConnectionLost` when no reply can come. */
  request<T extends RequestType>(type: T, payload: PayloadOf<T>): Promise<ReplyOf<T>>;
}

/** What producers, consumers and moderation need from the room. */
export interface RoomSignalling {
  request<T extends RequestType>(type: T, payload: PayloadOf<T>): Promise<ReplyOf<T>>;
  /** Shows the person an error message. */
  reportProblem(content: NotificationContent): void;
}

/** The server refused one request. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  constructor(
    message: string,
    readonly code: string | undefined,
  ) {
    super(message);
  }
}

/** Returns why a request failed. */
export function failureReason({ message, code = '' }: Refusal): FailureReason {
  return { code, message };
}

/**
 * Tells the person that an action was refused. Without a connection nothing is told: the page shows that by itself. A
 * participant who has left meanwhile is no problem either: then there is nothing to do.
 */
export function reportRefusal(signalling: RoomSignalling, error: unknown): void {
  if (!(error instanceof Refusal) || error.code === 'participant-not-found') return;
  signalling.reportProblem({ code: 'actionFailed', reason: failureReason(error) });
}

/** Refusals of a request that the same request gets again, however often it is repeated. */
const LASTING_CODES = new Set(['bad-request', 'cannot-consume', 'forbidden', 'producer-not-found', 'unknown-type']);

/** Whether repeating the request that failed with this error cannot help. */
export function isLasting(error: unknown): boolean {
  return error instanceof Refusal && LASTING_CODES.has(error.code ?? '');
}

/** The connection failed before the reply to a request arrived. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}
