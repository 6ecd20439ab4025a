/** The public types of the package. Imports nothing of the client's internals, so that their types stay internal. */

/** Permissions of a participant: hosts decide about others, viewers send nothing. */
export type Role = 'host' | 'speaker' | 'viewer';

/** Origin of a track. */
export type Source = 'microphone' | 'camera' | 'screen' | 'screen-audio';

/**
 * Whether media flows: `connected` and `reconnecting` alternate, also over a restart of the server; `ended` is final.
 * While the connection is being restored, participants stay listed.
 */
export type CallState = 'connected' | 'reconnecting' | 'ended';

/** Why a call ended. `left` is our own `leave`, all others are decisions of hosts or of the server. */
export type EndReason = 'left' | 'denied' | 'removed' | 'replaced' | 'room-closed' | 'ended' | ErrorCode;

/** Why something failed. The server's codes are stable; later versions may add some. */
export type ErrorCode =
  /** The server did not answer three attempts to connect. */
  | 'unreachable'
  /** This browser lacks WebRTC, or the codec of the room. */
  | 'unsupported'
  /** The call was given up by `JoinOptions.signal`. */
  | 'aborted'
  /** A host refused us, removed us or ended the meeting while we waited. */
  | 'denied'
  /** A host has removed us before, and keeps us out. */
  | 'banned'
  /** The role, or the room's rule about screens, does not permit it. */
  | 'forbidden'
  /** The token is malformed, expired, or of another room. */
  | 'invalid-token'
  /** The room or the server is full, or we send as many tracks as permitted already. */
  | 'limit-reached'
  /** The room is locked. */
  | 'room-locked'
  /** There is no such room, and it may not be created by joining. */
  | 'room-not-found'
  /** Too many requests in a short time. */
  | 'rate-limited'
  /** The server is about to stop. */
  | 'shutting-down'
  /** The server does not accept what was sent, for example a name that is too long. */
  | 'bad-request'
  // Accepts others without losing the suggestions of an editor.
  | (string & Record<never, never>);

/** A failure with a code for programs; `message` is English, for logs. */
export class CallError extends Error {
  override readonly name = 'CallError';

  constructor(
    readonly code: ErrorCode,
    message: string,
  ) {
    super(message);
  }
}

/** Options of `join`. */
export interface JoinOptions {
  /** Address of the server, such as `https://meet.example.org/`; with the path below which a reverse proxy serves it. */
  server: string | URL;
  /** Name of the room, at most 64 characters. */
  room: string;
  /** Name that others see, at most 64 characters. */
  name?: string;
  /** Token that permits joining, where the server or the room needs one. */
  token?: string;
  /**
   * Secret of at least 16 characters by which the server recognises us. A page that keeps it over a reload takes its
   * own place again, with the same role. Random by default, which serves for lost connections.
   */
  secret?: string;
  /** Called when a host has to admit us first. `join` resolves when one has. */
  onWaiting?: () => void;
  /** Gives up joining; has no effect afterwards. */
  signal?: AbortSignal;
}

/** Another participant. The object stays the same for as long as the participant is listed. */
export interface Participant {
  readonly id: string;
  /** Empty where the person gave none. */
  readonly name: string;
  readonly role: Role;
  /** Whether the participant's connection is interrupted: nothing arrives at the server. */
  readonly interrupted: boolean;
  /** Tracks that arrive of the participant, oldest first. */
  readonly media: readonly RemoteMedia[];
}

/** A track of another participant. Sound is received at once, video from the first `Call.subscribe`. */
export interface RemoteMedia {
  readonly id: string;
  readonly kind: 'audio' | 'video';
  readonly source: Source;
  readonly track: MediaStreamTrack;
  readonly participant: Participant;
  /** Whether its sender has paused it. */
  readonly muted: boolean;
}

/** How a video is received. */
export interface SubscribeOptions {
  /**
   * Height in device pixels at which it is shown: CSS pixels times `devicePixelRatio`. The server sends the smallest
   * picture that is sharp at this height; with 0 it sends none.
   */
  height: number;
}

/** How a track is sent. */
export interface PublishOptions {
  /** Default: `camera` for video, `microphone` for sound. */
  source?: 'microphone' | 'camera' | 'screen';
  /** Sound of a screen. */
  audio?: MediaStreamTrack;
  /** Content of a screen: `text` is sharp (the default), `motion` is smooth. */
  content?: 'text' | 'motion';
}

/** A track that is sent. It ends with `stop`, with its track, or when a host stops a screen. */
export interface Publication {
  readonly source: 'microphone' | 'camera' | 'screen';
  readonly track: MediaStreamTrack;
  /** Whether it is paused: by `setMuted`, or by a host. Only microphones and cameras can be. */
  readonly muted: boolean;
  /** Pauses or resumes sending a microphone or camera. The track itself goes on. */
  setMuted(muted: boolean): void;
  /** Ends sending. The track itself goes on, and a device stays open until its track is stopped. */
  stop(): void;
}

/** Events of a call, with what their listeners get. */
export interface CallEvents {
  participantJoined: Participant;
  /** The name, the role, or whether the connection is interrupted, is another one. */
  participantChanged: Participant;
  participantLeft: Participant;
  /** A track of another participant arrives: play it, and subscribe to a video in its size. */
  mediaAdded: RemoteMedia;
  /** Its sender paused or resumed it. */
  mediaChanged: RemoteMedia;
  /** The track does not arrive any more. After a lost connection, another one may take its place. */
  mediaRemoved: RemoteMedia;
  /** Ids of those who speak, perhaps our own. */
  speakersChanged: ReadonlySet<string>;
  /** A host paused what we send, or it was paused or resumed by `setMuted`. */
  publicationChanged: Publication;
  publicationEnded: Publication;
  /** Our own role is another one. */
  roleChanged: Role;
  stateChanged: CallState;
  /** Something is not sent or not received, while the call goes on. */
  problem: CallError;
  /** The call is over. */
  ended: EndReason;
}

/** A call that was joined. */
export interface Call {
  /** Our own id. It is another one when the server has lost our session. */
  readonly id: string;
  readonly room: string;
  readonly role: Role;
  readonly state: CallState;
  /** The others, in the order in which they joined. */
  readonly participants: readonly Participant[];
  /** Calls the listener at each event until the returned function is called. */
  on<E extends keyof CallEvents>(event: E, listener: (value: CallEvents[E]) => void): () => void;
  /**
   * Sends a track, also after every reconnection. A second microphone or camera replaces the first; up to three screens
   * are sent at a time. A track that our role does not permit is sent once it does. A refusal is told as `problem`.
   */
  publish(track: MediaStreamTrack, options?: PublishOptions): Publication;
  /** Receives a video as large as it is shown. Call it again when the size changes. */
  subscribe(media: RemoteMedia, options: SubscribeOptions): void;
  /** Leaves the room for good. */
  leave(): void;
}
