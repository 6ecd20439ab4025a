/**
 * The words spoken between this page and the server: every frame on the WebSocket is
 * `{type, payload, id?}` as JSON text. A request carries an `id`, and its reply (or its `error`)
 * carries the same one; frames without an `id` are notices. Nothing else in the client may name a
 * wire field that is not here.
 *
 * Generated from the server's payload types by `UPDATE_PROTOCOL=1 cargo test -p
 * watersmeet-conference`: change those, not this file.
 */

/** Audio or video. */
export type Kind = 'audio' | 'video';

/** An object that travels untouched between the server and mediasoup-client; `media.ts` alone looks inside. */
export type Opaque = Record<string, unknown>;
export type RtpCapabilities = Opaque;
export type RtpParameters = Opaque;
export type IceParameters = Opaque;
export type IceCandidate = Opaque;
export type DtlsParameters = Opaque;

/** Nothing at all. */
export type Empty = Record<string, never>;

/** What a producer shows or sounds like to people. */
export type MediaSource = 'mic' | 'camera' | 'screen' | 'screen-audio';

/** Which way media goes on a transport, as the participant sees it. */
export type Direction = 'send' | 'recv';

/** What a participant may do in its room. */
export type Role = 'host' | 'speaker' | 'viewer';

/** Who may enter a room. */
export type Policy = 'open' | 'invite-only' | 'approval' | 'locked';

/** Why somebody is in a room no more, though it did not leave. */
export type RemovalReason = 'denied' | 'removed' | 'replaced' | 'room-closed';

/** A transport, named. */
export type TransportRef = {
  /** Which. */
  transportId: string;
};

/** A producer, named. */
export type ProducerRef = {
  /** Which. */
  producerId: string;
};

/** A consumer, named. */
export type ConsumerRef = {
  /** Which. */
  consumerId: string;
};

/** One object, named by its kind. */
export type SubjectRef = {
  /** A transport. */
  transportId?: string;
  /** A producer. */
  producerId?: string;
  /** A consumer. */
  consumerId?: string;
};

/** `joinRoom` */
export type JoinRoom = {
  /** The room's name; it is made when it is not there. */
  roomId: string;
  /** How others shall see the participant. */
  displayName?: string;
  /** A token that says what the participant may do. */
  token?: string;
  /** A secret of the client, the same whenever it comes back. Only its length matters yet. */
  resume?: string;
};

/** `createTransport` */
export type CreateTransport = {
  /** What it is for. */
  direction: Direction;
};

/** `connectTransport` */
export type ConnectTransport = {
  /** Which. */
  transportId: string;
  /** Role and fingerprints of the client. */
  dtlsParameters: DtlsParameters;
};

/** `produce` */
export type Produce = {
  /** The transport it is sent on. */
  transportId: string;
  /** Audio or video. */
  kind: Kind;
  /** What is sent. */
  rtpParameters: RtpParameters;
  /** What people will make of it. */
  source?: MediaSource;
  /** Whether it begins paused. */
  paused?: boolean;
  /** Anything; other clients that know of it are told. */
  appData?: Record<string, unknown>;
};

/** `consume` */
export type Consume = {
  /** What to receive. */
  producerId: string;
  /** What the client can receive. */
  rtpCapabilities: RtpCapabilities;
  /** Where; absent means the newest receive transport. */
  transportId?: string;
};

/** `setPreferredLayers` */
export type SetPreferredLayers = {
  /** Of which consumer. */
  consumerId: string;
  /** The highest resolution wanted, the lowest being zero. */
  spatialLayer: number;
  /** The highest frame rate wanted; absent means any. */
  temporalLayer?: number;
};

/** `chat` */
export type Chat = {
  /** What is said to everybody. */
  text: string;
};

/** `moderate`: what a host decides. */
export type Moderate = { 'action': 'admit';
/** Who. */
peerId: string;
/** Whether it may speak; absent means yes. */
promote?: boolean, } | { 'action': 'deny';
/** Who. */
peerId: string, } | { 'action': 'promote';
/** Who. */
peerId: string, } | { 'action': 'demote';
/** Who. */
peerId: string, } | { 'action': 'mute';
/** Who. */
peerId: string;
/** What; absent means all. */
kind?: Kind, } | { 'action': 'remove';
/** Who. */
peerId: string, } | { 'action': 'setPolicy';
/** The policy. */
policy: Policy;
};

/** A STUN or TURN server, as `RTCPeerConnection` takes it. */
export type IceServer = {
  /** Its addresses. */
  urls: Array<string>;
  /** Who it is asked as. */
  username?: string;
  /** What proves it. */
  credential?: string;
};

/** What the server wants its clients to do differently. */
export type ClientOptions = {
  /** The video codec to publish with, as `video/VP9`; absent leaves the choice. */
  forceVideoCodec?: string;
};

/** `connected` */
export type Connected = {
  /** The public name of this participant. */
  peerId: string;
  /** What helps to reach the server. */
  iceServers?: Array<IceServer>;
  /** What to do differently. */
  options?: ClientOptions;
};

/** `routerRtpCapabilities` */
export type RouterRtpCapabilities = {
  /** What routers can forward. */
  rtpCapabilities: RtpCapabilities;
};

/** One producer of a participant. */
export type ProducerSummary = {
  /** Its id. */
  producerId: string;
  /** Audio or video. */
  kind: Kind;
  /** What it shows; absent means what its kind suggests. */
  source?: MediaSource;
  /** Whether it is paused; absent means that it is not. */
  paused?: boolean;
};

/** What one participant sends. */
export type PeerProducers = {
  /** Who. */
  peerId: string;
  /** How it wants to be seen. */
  displayName?: string;
  /** What, oldest first. */
  producers: Array<ProducerSummary>;
};

/** One participant at a glance. */
export type ParticipantSummary = {
  /** Who. */
  peerId: string;
  /** How it wants to be seen. */
  displayName?: string;
  /** Whether it can be heard. */
  audio: boolean;
  /** Whether it can be seen. */
  video: boolean;
  /** What it may do. */
  role: Role;
};

/** `roomJoined` */
export type RoomJoined = {
  /** The room's name. */
  roomId: string;
  /** Who else is there, longest first. */
  peers: Array<string>;
  /** What they send; whoever sends nothing is left out. */
  existingProducers: Array<PeerProducers>;
  /** The others once more, with names. */
  participants?: Array<ParticipantSummary>;
  /** What this participant may do here. */
  role?: Role;
};

/** `roomLeft`, and `waiting` when a host has to let one in first */
export type RoomLeft = {
  /** The room's name. */
  roomId: string;
};

/** `participants` */
export type Participants = {
  /** Everybody in the room, oneself included, longest first. */
  participants: Array<ParticipantSummary>;
};

/** `transportCreated` */
export type TransportCreated = {
  /** Its id. */
  transportId: string;
  /** The server's ICE credentials. */
  iceParameters: IceParameters;
  /** Where the server is reached. */
  iceCandidates: IceCandidate[];
  /** The server's fingerprints. */
  dtlsParameters: DtlsParameters;
  /** What it is for. */
  direction: Direction;
};

/** `iceRestarted` */
export type IceRestarted = {
  /** Which. */
  transportId: string;
  /** The new credentials. */
  iceParameters: IceParameters;
};

/** `produced` */
export type Produced = {
  /** Its id. */
  producerId: string;
  /** Audio or video. */
  kind: Kind;
};

/** `consumed` */
export type Consumed = {
  /** Its id. It is paused until `resumeConsumer`. */
  consumerId: string;
  /** What it receives. */
  producerId: string;
  /** Whose that is. */
  producerPeerId: string;
  /** Audio or video. */
  kind: Kind;
  /** What will arrive. */
  rtpParameters: RtpParameters;
};

/** `stats` */
export type Stats = {
  /** Reports with mediasoup's field names. */
  stats: Record<string, unknown>[];
  /** A transport. */
  transportId?: string;
  /** A producer. */
  producerId?: string;
  /** A consumer. */
  consumerId?: string;
};

/** `newPeer` */
export type NewPeer = {
  /** Who. */
  peerId: string;
  /** How it wants to be seen. */
  displayName?: string;
};

/** `peerLeft` */
export type PeerLeft = {
  /** Who; all its producers are closed. */
  peerId: string;
};

/** Somebody, named. */
export type PeerRef = {
  /** Who. */
  peerId: string;
};

/** `joinRequested` and `speakRequested` */
export type PeerRequest = {
  /** Who. */
  peerId: string;
  /** Who it says it is. */
  userId?: string;
  /** How it wants to be seen. */
  displayName?: string;
};

/** `roleChanged` */
export type RoleChanged = {
  /** Who; oneself perhaps. */
  peerId: string;
  /** What it may do now. */
  role: Role;
};

/** `chat` as a notice */
export type ChatNotice = {
  /** Who said it. */
  peerId: string;
  /** How it wants to be seen. */
  displayName?: string;
  /** What. */
  text: string;
};

/** `policyChanged` */
export type PolicyChanged = {
  /** Who may enter now. */
  policy: Policy;
};

/** `removed` */
export type Removed = {
  /** Why. */
  reason: RemovalReason;
};

/** `newProducer` */
export type NewProducer = {
  /** Who. */
  peerId: string;
  /** How it wants to be seen. */
  displayName?: string;
  /** Its id. */
  producerId: string;
  /** Audio or video. */
  kind: Kind;
  /** What it shows; absent means what its kind suggests. */
  source?: MediaSource;
  /** Whether it is paused; absent means that it is not. */
  paused?: boolean;
};

/** A producer of somebody. */
export type PeerProducerRef = {
  /** Whose. */
  peerId: string;
  /** Which. */
  producerId: string;
};

/** `consumerPaused` and `consumerResumed` as notices */
export type ConsumerPausedNotice = {
  /** Which. */
  consumerId: string;
  /** Always true: its producer did it. */
  byProducer: boolean;
};

/** `consumerClosed` */
export type ConsumerClosed = {
  /** Which. */
  consumerId: string;
  /** What it received. */
  producerId: string;
};

/** `consumerLayersChanged` */
export type ConsumerLayersChanged = {
  /** Which. */
  consumerId: string;
  /** The resolution that comes; absent means that nothing comes. */
  spatialLayer?: number;
  /** The frame rate that comes. */
  temporalLayer?: number;
};

/** `transportClosed` */
export type TransportClosed = {
  /** Which; everything on it is closed. */
  transportId: string;
  /** Why, in one word. */
  reason: string;
};

/** `error` */
export type ErrorPayload = {
  /** For people. */
  message: string;
  /** For programs; it never changes. */
  code: string;
};

/** Every request: what it carries and what comes back. */
export interface Requests {
  /** Answered by `routerRtpCapabilities`. */
  getRouterRtpCapabilities: { payload: Empty; reply: RouterRtpCapabilities };
  /** Answered by `roomJoined`. */
  joinRoom: { payload: JoinRoom; reply: RoomJoined };
  /** Answered by `roomLeft`. */
  leaveRoom: { payload: Empty; reply: RoomLeft };
  /** Answered by `participants`. */
  getParticipants: { payload: Empty; reply: Participants };
  /** Answered by `transportCreated`. */
  createTransport: { payload: CreateTransport; reply: TransportCreated };
  /** Answered by `closedTransport`. */
  closeTransport: { payload: TransportRef; reply: TransportRef };
  /** Answered by `transportConnected`. */
  connectTransport: { payload: ConnectTransport; reply: TransportRef };
  /** Answered by `iceRestarted`. */
  restartIce: { payload: TransportRef; reply: IceRestarted };
  /** Answered by `produced`. */
  produce: { payload: Produce; reply: Produced };
  /** Answered by `producerPaused`. */
  pauseProducer: { payload: ProducerRef; reply: ProducerRef };
  /** Answered by `producerResumed`. */
  resumeProducer: { payload: ProducerRef; reply: ProducerRef };
  /** Answered by `closedProducer`. */
  closeProducer: { payload: ProducerRef; reply: ProducerRef };
  /** Answered by `consumed`. */
  consume: { payload: Consume; reply: Consumed };
  /** Answered by `consumerPaused`. */
  pauseConsumer: { payload: ConsumerRef; reply: ConsumerRef };
  /** Answered by `consumerResumed`. */
  resumeConsumer: { payload: ConsumerRef; reply: ConsumerRef };
  /** Answered by `closedConsumer`. */
  closeConsumer: { payload: ConsumerRef; reply: ConsumerRef };
  /** Answered by `preferredLayersSet`. */
  setPreferredLayers: { payload: SetPreferredLayers; reply: ConsumerRef };
  /** Answered by `keyframeRequested`. */
  requestKeyframe: { payload: ConsumerRef; reply: ConsumerRef };
  /** Answered by `stats`. */
  getStats: { payload: SubjectRef; reply: Stats };
  /** Answered by `done`. */
  chat: { payload: Chat; reply: Empty };
  /** Answered by `done`. */
  requestToSpeak: { payload: Empty; reply: Empty };
  /** Answered by `done`. */
  moderate: { payload: Moderate; reply: Empty };
}

/** Every frame the server sends on its own. */
export interface Notices {
  connected: Connected;
  newPeer: NewPeer;
  peerLeft: PeerLeft;
  newProducer: NewProducer;
  producerClosed: PeerProducerRef;
  producerPaused: PeerProducerRef;
  producerResumed: PeerProducerRef;
  consumerClosed: ConsumerClosed;
  consumerPaused: ConsumerPausedNotice;
  consumerResumed: ConsumerPausedNotice;
  consumerLayersChanged: ConsumerLayersChanged;
  transportClosed: TransportClosed;
  workerLost: Empty;
  waiting: RoomLeft;
  admitted: RoomJoined;
  joinRequested: PeerRequest;
  joinSettled: PeerRef;
  speakRequested: PeerRequest;
  roleChanged: RoleChanged;
  policyChanged: PolicyChanged;
  muted: Produced;
  removed: Removed;
  chat: ChatNotice;
  error: ErrorPayload;
}

export type RequestType = keyof Requests;
export type PayloadOf<T extends RequestType> = Requests[T]['payload'];
export type ReplyOf<T extends RequestType> = Requests[T]['reply'];
export type Notice = { [T in keyof Notices]: { type: T; payload: Notices[T] } }[keyof Notices];

/** A frame as it is on the wire. */
export interface Frame {
  type: string;
  payload: unknown;
  id?: string | number;
}
