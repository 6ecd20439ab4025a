/**
 * Protocol between this page and the server: every frame on the WebSocket is `{type, payload, id?}`
 * as JSON text. A request carries an `id`, and its reply (or its `error`) carries the same one;
 * frames without an `id` are notices. Nothing else in the client may name a wire field that is not
 * here.
 *
 * Generated from the server's payload types by `UPDATE_PROTOCOL=1 cargo test -p
 * watersmeet-conference`: change those, not this file.
 */

/** Audio or video. */
export type Kind = 'audio' | 'video';

/** An object that is passed unchanged between the server and mediasoup-client; only `media.ts` looks inside. */
export type Opaque = Record<string, unknown>;
export type RtpCapabilities = Opaque;
export type RtpParameters = Opaque;
export type IceParameters = Opaque;
export type IceCandidate = Opaque;
export type DtlsParameters = Opaque;

/** An empty payload. */
export type Empty = Record<string, never>;

/** Source that the media of a producer was captured from. */
export type MediaSource = 'mic' | 'camera' | 'screen' | 'screen-audio';

/** Direction of the media on a transport, as the participant sees it. */
export type Direction = 'send' | 'recv';

/** Permissions of a participant in its room. */
export type Role = 'host' | 'speaker' | 'viewer';

/** Entry policy of a room. */
export type Policy = 'open' | 'invite-only' | 'approval' | 'locked';

/** Rule of a room about who may share screens. */
export type Sharing = 'everybody' | 'hosts';

/** Why a participant that did not leave is no longer in the room. */
export type RemovalReason = 'denied' | 'removed' | 'replaced' | 'room-closed' | 'ended';

/** Names a transport. */
export type TransportRef = {
  /** Id of the transport. */
  transportId: string;
};

/** Names a producer. */
export type ProducerRef = {
  /** Id of the producer. */
  producerId: string;
};

/** Names a consumer. */
export type ConsumerRef = {
  /** Id of the consumer. */
  consumerId: string;
};

/** Names a transport, a producer or a consumer. */
export type SubjectRef = {
  /** Id of a transport. */
  transportId?: string;
  /** Id of a producer. */
  producerId?: string;
  /** Id of a consumer. */
  consumerId?: string;
};

/** `joinRoom` */
export type JoinRoom = {
  /** Name of the room; it is created if necessary. */
  roomId: string;
  /** Name to show to others. */
  displayName?: string;
  /** Access token. */
  token?: string;
  /** Secret of the client, at least 16 characters that nobody guesses and the same whenever it
   * reconnects. Its participant takes the place of the one before, with the same role. */
  resume?: string;
  /** Whether the client can resume its session over another connection. Needs `resume`. */
  resumable?: boolean;
};

/** `resumeSession`: the client goes on with the session that it had over another connection */
export type ResumeSession = {
  /** Id of the participant in that session. */
  peerId: string;
  /** Secret with which the client joined. */
  resume: string;
  /** Number of the last frame that arrived; 0 without any. */
  seq: number;
};

/** `resumed`: the frames after the number that the client named follow */
export type Resumed = {
  /** Id of the last request that arrived; the client sends later ones again. */
  lastRequest?: string | number;
};

/** `ping` */
export type Ping = {
  /** Number of the last frame that arrived. The server need not keep it any more. */
  seq?: number;
};

/** Route of the media, from the best to the worst. */
export type Route = 'udp' | 'tcp' | 'relay';

/** State of a microphone or camera, as its page knows it. */
export type DeviceState = 'off' | 'working' | 'silent' | 'talking-muted' | 'failed';

/** Report of a page over the time since its last one. Not verified: it only explains what went wrong. */
export type PageReport = {
  /** Route of the media, where the browser tells it. */
  route?: Route;
  /** Whether the browser sends less of a picture because the device is too slow. */
  limitedByCpu: boolean;
  /** Whether it does so because of the connection, which then carries less than the smallest picture needs. */
  limitedByBandwidth: boolean;
  /** Share of the time in which pictures stood still, in percent. */
  frozenPercent: number;
  /** Share of the sound that was made up, in percent. */
  concealedPercent: number;
  /** Share of the received frames that were dropped instead of shown, or not decoded in time, in percent. */
  droppedPercent: number;
  /** Share of the time in which the visible page did not get to run, in percent. */
  busyPercent: number;
  /** Longest time for which the page did not run, in milliseconds: a device that sleeps, or a browser that is busy. */
  stalledMs: number;
  /** State of the microphone. */
  microphone: DeviceState;
  /** State of the camera. */
  camera: DeviceState;
};

/** `createTransport` */
export type CreateTransport = {
  /** Direction of the media, as the client sees it. */
  direction: Direction;
};

/** `connectTransport` */
export type ConnectTransport = {
  /** Id of the transport. */
  transportId: string;
  /** DTLS role and fingerprints of the client. */
  dtlsParameters: DtlsParameters;
};

/** `produce` */
export type Produce = {
  /** Transport to send on. */
  transportId: string;
  /** Audio or video. */
  kind: Kind;
  /** RTP parameters of the sender. */
  rtpParameters: RtpParameters;
  /** Captured source. */
  source?: MediaSource;
  /** Whether the producer starts paused. */
  paused?: boolean;
  /** Free-form data for other clients. */
  appData?: Record<string, unknown>;
};

/** `consume` */
export type Consume = {
  /** Producer to receive. */
  producerId: string;
  /** RTP capabilities of the client. */
  rtpCapabilities: RtpCapabilities;
  /** Transport to receive on; absent means the newest receive transport. */
  transportId?: string;
};

/** `setPreferredLayers` */
export type SetPreferredLayers = {
  /** Id of the consumer. */
  consumerId: string;
  /** Highest resolution wanted; the lowest is zero. */
  spatialLayer: number;
  /** Highest frame rate wanted; absent means any. */
  temporalLayer?: number;
};

/** `setPriority` */
export type SetPriority = {
  /** Id of the consumer. */
  consumerId: string;
  /** Priority of the consumer in the distribution of bandwidth: higher ones get bitrate first. A camera above 1
   * does not count for `last_n_video`. New consumers have 1, those of shared screens 128. */
  priority: number;
};

/** `moderate`: a decision of a host. */
export type Moderate = { 'action': 'admit';
/** Id of the participant. */
peerId: string;
/** Whether it becomes a speaker; absent means yes. */
promote?: boolean, } | { 'action': 'deny';
/** Id of the participant. */
peerId: string;
/** Whether it may not ask again while the room exists; absent means that it may. */
ban?: boolean, } | { 'action': 'promote';
/** Id of the participant. */
peerId: string, } | { 'action': 'demote';
/** Id of the participant. */
peerId: string, } | { 'action': 'mute';
/** Id of the participant. */
peerId: string;
/** Kind of the producers; absent means all. */
kind?: Kind, } | { 'action': 'muteAll';
/** Kind of the producers; absent means all. */
kind?: Kind, } | { 'action': 'askToUnmute';
/** Id of the participant. */
peerId: string, } | { 'action': 'stopSharing';
/** Id of the participant. */
peerId: string, } | { 'action': 'appointHost';
/** Id of the participant. */
peerId: string, } | { 'action': 'spotlight';
/** Id of the participant; absent ends it. */
peerId?: string, } | { 'action': 'setSharing';
/** The new rule. */
sharing: Sharing, } | { 'action': 'end', } | { 'action': 'remove';
/** Id of the participant. */
peerId: string;
/** Whether it may not come back while the room exists; absent means that it may. */
ban?: boolean, } | { 'action': 'setPolicy';
/** The new policy. */
policy: Policy, } | { 'action': 'openBreakouts';
/** The rooms, 2 to 20. */
rooms: Array<BreakoutPlan>, } | { 'action': 'assignBreakout';
/** Id of the participant. */
peerId: string;
/** Name of the breakout room. */
roomId: string, } | { 'action': 'tellBreakouts';
/** Text of the message. */
text: string, } | { 'action': 'closeBreakouts';
/** Seconds until then, at most 300. */
seconds: number, } | { 'action': 'setChatPolicy';
/** The new policy. */
policy: ChatPolicy;
};

/** A STUN or TURN server, as `RTCPeerConnection` takes it. */
export type IceServer = {
  /** Addresses, as `stun:` or `turn:` URLs. */
  urls: Array<string>;
  /** User name for the server. */
  username?: string;
  /** Password for the server. */
  credential?: string;
};

/** Options of clients that the server sets. */
export type ClientOptions = {
  /** Video codec to publish with, such as `video/VP9`; absent leaves the choice. */
  forceVideoCodec?: string;
  /** Interval, in seconds, at which the page reports on its call; absent when nobody wants reports. */
  reportIntervalS?: number;
};

/** `connected` */
export type Connected = {
  /** Public id of this participant. */
  peerId: string;
  /** STUN and TURN servers. */
  iceServers?: Array<IceServer>;
  /** Options that the server sets. */
  options?: ClientOptions;
};

/** `routerRtpCapabilities` */
export type RouterRtpCapabilities = {
  /** Codecs and header extensions that routers forward. */
  rtpCapabilities: RtpCapabilities;
};

/** A producer of a participant. */
export type ProducerSummary = {
  /** Id of the producer. */
  producerId: string;
  /** Audio or video. */
  kind: Kind;
  /** Captured source; absent means the usual one of its kind. */
  source?: MediaSource;
  /** Whether it is paused; absent means that it is not. */
  paused?: boolean;
};

/** The producers of one participant. */
export type PeerProducers = {
  /** Id of the participant. */
  peerId: string;
  /** Name to show. */
  displayName?: string;
  /** Its producers, oldest first. */
  producers: Array<ProducerSummary>;
};

/** A participant with its role and media. */
export type ParticipantSummary = {
  /** Id of the participant. */
  peerId: string;
  /** Name to show. */
  displayName?: string;
  /** Whether it sends sound of a microphone. */
  audio: boolean;
  /** Whether it sends video of a camera. */
  video: boolean;
  /** Role in the room. */
  role: Role;
  /** Whether nothing arrives from it at the moment; absent means that something does. */
  interrupted?: boolean;
};

/** `roomJoined` */
export type RoomJoined = {
  /** Name of the room. */
  roomId: string;
  /** Name of the meeting for people to read. */
  title?: string;
  /** Ids of the other participants, first to join first. */
  peers: Array<string>;
  /** Their producers; participants without any are left out. */
  existingProducers: Array<PeerProducers>;
  /** The other participants once more, with names. */
  participants?: Array<ParticipantSummary>;
  /** What this participant may do here. */
  role?: Role;
  /** Number of participants, this one included; present where not all of them are listed. */
  participantCount?: number;
  /** Participant that is speaking. */
  activeSpeaker?: string;
  /** Participant that a host shows large to everybody. */
  spotlight?: string;
  /** Rule for sharing screens; absent means that hosts and speakers may. */
  sharing?: Sharing;
};

/** `participantCount`: how many participants a room has in which not all of them are listed */
export type ParticipantCount = {
  /** Participants in the room, the receiver included. */
  count: number;
};

/** `activeSpeaker`: another participant is speaking, perhaps the receiver, or nobody is any more */
export type ActiveSpeaker = {
  /** Id of the participant; absent when nobody speaks. */
  peerId?: string;
};

/** `serverClosing`: the server restarts, and the client is to connect again when it is closed */
export type ServerClosing = {
  /** Seconds until the connection is closed. */
  seconds: number;
};

/** `waiting`, until a host admits the client */
export type Waiting = {
  /** Name of the room. */
  roomId: string;
  /** Name of the meeting for people to read. */
  title?: string;
  /** Whether a host is in the room, who sees that the client waits. */
  hostPresent: boolean;
};

/** `roomLeft` */
export type RoomLeft = {
  /** Name of the room. */
  roomId: string;
};

/** `participants` */
export type Participants = {
  /** Everybody in the room, this participant included, first to join first. */
  participants: Array<ParticipantSummary>;
};

/** `transportCreated` */
export type TransportCreated = {
  /** Id of the transport. */
  transportId: string;
  /** ICE credentials of the server. */
  iceParameters: IceParameters;
  /** Addresses of the server. */
  iceCandidates: IceCandidate[];
  /** DTLS role and fingerprints of the server. */
  dtlsParameters: DtlsParameters;
  /** Direction of the media, as the client sees it. */
  direction: Direction;
};

/** `iceRestarted` */
export type IceRestarted = {
  /** Id of the transport. */
  transportId: string;
  /** The new ICE credentials. */
  iceParameters: IceParameters;
};

/** `produced` */
export type Produced = {
  /** Id of the producer. */
  producerId: string;
  /** Audio or video. */
  kind: Kind;
};

/** `consumed` */
export type Consumed = {
  /** Id of the consumer. It is paused until `resumeConsumer`. */
  consumerId: string;
  /** Producer that it receives. */
  producerId: string;
  /** Owner of the producer. */
  producerPeerId: string;
  /** Audio or video. */
  kind: Kind;
  /** RTP parameters of the packets that will arrive. */
  rtpParameters: RtpParameters;
};

/** `stats` */
export type Stats = {
  /** Reports with mediasoup's field names. */
  stats: Record<string, unknown>[];
  /** Id of a transport. */
  transportId?: string;
  /** Id of a producer. */
  producerId?: string;
  /** Id of a consumer. */
  consumerId?: string;
};

/** `newPeer` */
export type NewPeer = {
  /** Id of the participant. */
  peerId: string;
  /** Name to show. */
  displayName?: string;
  /** Role of the participant; absent means `speaker`. */
  role?: Role;
};

/** `peerLeft` */
export type PeerLeft = {
  /** Id of the participant; all its producers are closed. */
  peerId: string;
};

/** Names a participant. */
export type PeerRef = {
  /** Id of the participant. */
  peerId: string;
};

/** `joinRequested` and `speakRequested` */
export type PeerRequest = {
  /** Id of the participant. */
  peerId: string;
  /** Claimed user id, not verified. */
  userId?: string;
  /** Name to show. */
  displayName?: string;
};

/** `roleChanged` */
export type RoleChanged = {
  /** Id of the participant, perhaps of this one. */
  peerId: string;
  /** What it may do now. */
  role: Role;
};

/** `policyChanged` */
export type PolicyChanged = {
  /** The new policy. */
  policy: Policy;
};

/** `unmuteRequested`: a host asks to switch the microphone on */
export type UnmuteRequested = {
  /** Id of the host; absent for the operator. */
  peerId?: string;
};

/** `spotlightChanged`: another participant is shown large to everybody, or none any more */
export type SpotlightChanged = {
  /** Id of the participant, perhaps the receiver's own; absent ends it. */
  peerId?: string;
};

/** `sharingChanged` */
export type SharingChanged = {
  /** The new rule for sharing screens. */
  sharing: Sharing;
};

/** `interruptionChanged`: nothing arrives from a participant any more, or something arrives again */
export type InterruptionChanged = {
  /** Id of the participant. */
  peerId: string;
  /** Whether nothing arrives. */
  interrupted: boolean;
};

/** `removed` */
export type Removed = {
  /** Why this participant was removed. */
  reason: RemovalReason;
};

/** `newProducer` */
export type NewProducer = {
  /** Id of the owner. */
  peerId: string;
  /** Name of the owner. */
  displayName?: string;
  /** Id of the producer. */
  producerId: string;
  /** Audio or video. */
  kind: Kind;
  /** Captured source; absent means the usual one of its kind. */
  source?: MediaSource;
  /** Whether it is paused; absent means that it is not. */
  paused?: boolean;
};

/** Names a producer of a participant. */
export type PeerProducerRef = {
  /** Id of the owner. */
  peerId: string;
  /** Id of the producer. */
  producerId: string;
};

/** `consumerPaused` and `consumerResumed` as notices */
export type ConsumerPausedNotice = {
  /** Id of the consumer. */
  consumerId: string;
  /** Always true: the consumer follows its producer. */
  byProducer: boolean;
};

/** `consumerClosed` */
export type ConsumerClosed = {
  /** Id of the consumer. */
  consumerId: string;
  /** Producer that it received. */
  producerId: string;
};

/** Why a consumer is sent less than it prefers, or nothing. */
export type LayersReason = 'bandwidth' | 'publisher' | 'lastN';

/** `consumerLayersChanged` */
export type ConsumerLayersChanged = {
  /** Id of the consumer. */
  consumerId: string;
  /** Resolution that is forwarded; absent means that nothing is. */
  spatialLayer?: number;
  /** Highest temporal layer that is forwarded; absent means that all are. */
  temporalLayer?: number;
  /** Why no better resolution is forwarded, or not all of its frames. Absent where the preferred one is in
   * full, or is about to be. */
  reason?: LayersReason;
};

/** `producerDemandChanged` */
export type ProducerDemandChanged = {
  /** Id of the producer. */
  producerId: string;
  /** Best encoding that somebody is sent; those above it need not be sent. Absent means that none need be. */
  spatialLayer?: number;
  /** Bitrate in bit/s that the lowest encoding must not exceed for all to be sent it; absent means any. */
  lowestBitrate?: number;
  /** Bitrate in bit/s that all who are sent the best encoding can be sent of it. Present only where some
   * of them would be sent a better one if their connections carried it. */
  highestBitrate?: number;
};

/** `producerScore` */
export type ProducerScore = {
  /** Id of a producer of the receiver of this notice. */
  producerId: string;
  /** How much of it arrives at the server: 10 all, 7 nine tenths, 4 four fifths of the packets; 0 nothing. */
  score: number;
};

/** `consumerScore` */
export type ConsumerScore = {
  /** Id of the consumer. */
  consumerId: string;
  /** How much of what the server sends arrives at the receiver, as `producerScore` counts. */
  score: number;
  /** How much of what the publisher sends arrives at the server. */
  producerScore: number;
};

/** `transportClosed` */
export type TransportClosed = {
  /** Id of the transport; everything on it is closed. */
  transportId: string;
  /** Why it was closed, in one word. */
  reason: string;
};

/** `error` */
export type ErrorPayload = {
  /** Message for people. */
  message: string;
  /** Stable code for programs. */
  code: string;
};

/** A breakout room to open. */
export type BreakoutPlan = {
  /** Name to show. */
  name: string;
  /** Ids of the participants who are assigned to it. */
  peerIds: Array<string>;
};

/** `enterBreakout` */
export type EnterBreakout = {
  /** Name of the breakout room; absent returns to the main room. */
  roomId?: string;
};

/** A breakout room. */
export type BreakoutRoom = {
  /** Name by which it is entered. */
  roomId: string;
  /** Name to show. */
  name: string;
};

/** `breakoutMoved`: a participant is in another room of the meeting. Sent to hosts */
export type BreakoutPerson = {
  /** Id of the participant. */
  peerId: string;
  /** Name to show. */
  displayName?: string;
  /** Name of its breakout room; absent for the main room. */
  roomId?: string;
};

/** `breakouts`: the meeting has breakout rooms */
export type Breakouts = {
  /** All breakout rooms. */
  rooms: Array<BreakoutRoom>;
  /** Name of the breakout room that the receiver is in; absent for the main room. */
  current?: string;
  /** Name of the breakout room to which the receiver is assigned. */
  assigned?: string;
  /** Seconds until everybody returns; absent while the rooms stay open. */
  closesInS?: number;
  /** Everybody in the breakout rooms; present for hosts. */
  people?: Array<BreakoutPerson>;
};

/** Participants who may write chat messages and start polls. */
export type ChatPolicy = 'everybody' | 'hosts';

/** `chat`: a message of this participant */
export type Chat = {
  /** Text of the message. */
  text: string;
  /** Id of the only receiver; absent means everybody. */
  to?: string;
  /** Key that the client chooses. A message that is sent again with the same key is not delivered again. */
  key?: string;
};

/** Reply to `chat` */
export type ChatSent = {
  /** Id of the message. Later messages and polls have higher ids. */
  messageId: number;
  /** Time at which the server received it, in milliseconds since 1970. */
  sentAt: number;
};

/** Names a participant, who may have left. */
export type NamedPeer = {
  /** Id of the participant. */
  peerId: string;
  /** Name to show. */
  displayName?: string;
};

/** `chat` as a notice, and a message in `conversation` */
export type ChatMessage = {
  /** Id of the message. Later messages and polls have higher ids. */
  messageId: number;
  /** Time at which the server received it, in milliseconds since 1970. */
  sentAt: number;
  /** Id that the sender had. */
  peerId: string;
  /** Name of the sender. */
  displayName?: string;
  /** The message. */
  text: string;
  /** The only receiver; absent means everybody. */
  to?: NamedPeer;
  /** Present, and true, where this participant has sent it. */
  own?: boolean;
  /** Key that this client gave it. */
  key?: string;
};

/** `getConversation` */
export type GetConversation = {
  /** Id of the latest message that the client has; absent for none. */
  after?: number;
};

/** `setHand` */
export type SetHand = {
  /** True to raise, false to lower. */
  raised: boolean;
  /** Id of the participant whose hand a host lowers; absent means one's own. */
  peerId?: string;
};

/** `handRaised`, and a raised hand in `conversation` */
export type HandRaised = {
  /** Id of the owner, perhaps of this participant. */
  peerId: string;
  /** Name of the owner. */
  displayName?: string;
  /** Place in the order: hands that were raised earlier have lower numbers. */
  number: number;
};

/** `react` */
export type React = {
  /** One of 👍 👏 ❤️ 😂 😮 🎉 🤔 👎. */
  reaction: string;
};

/** `caption`, as it is sent */
export type SendCaption = {
  /** Text of the caption. */
  text: string;
  /** True when the words stay as they are; otherwise the next caption of the speaker replaces them. */
  final?: boolean;
  /** Id of the participant who speaks, whom only hosts may name; absent means oneself. */
  peerId?: string;
};

/** `openPoll` */
export type OpenPoll = {
  /** Question to answer. */
  question: string;
  /** Answers to choose from, 2 to 10. */
  options: Array<string>;
};

/** `vote` */
export type Vote = {
  /** Id of the poll. */
  pollId: number;
  /** Index of the answer. It replaces an earlier vote. */
  option: number;
};

/** `closePoll` */
export type ClosePoll = {
  /** Id of the poll. */
  pollId: number;
};

/** `pollOpened`, and a poll in `conversation` */
export type Poll = {
  /** Id of the poll. Later messages and polls have higher ids. */
  pollId: number;
  /** Time at which it was started, in milliseconds since 1970. */
  sentAt: number;
  /** Id that its author had. */
  peerId: string;
  /** Name of its author. */
  displayName?: string;
  /** Question to answer. */
  question: string;
  /** Answers to choose from. */
  options: Array<string>;
  /** Number of votes for each answer. */
  votes: Array<number>;
  /** Whether it has ended. */
  closed: boolean;
  /** Present, and true, where this participant has started it. */
  own?: boolean;
  /** Index of the answer that this participant has chosen. */
  ownVote?: number;
};

/** `conversation` */
export type Conversation = {
  /** Messages that this participant may read, oldest first. */
  messages: Array<ChatMessage>;
  /** Participants who may write messages and start polls. */
  chatPolicy: ChatPolicy;
  /** Raised hands, first raised first. */
  hands: Array<HandRaised>;
  /** Polls, oldest first. */
  polls: Array<Poll>;
};

/** `chatPolicyChanged` */
export type ChatPolicyChanged = {
  /** Participants who may write messages and start polls. */
  policy: ChatPolicy;
};

/** `reaction` */
export type Reaction = {
  /** Id of the participant. */
  peerId: string;
  /** Name of the participant. */
  displayName?: string;
  /** Emoji to show for some seconds. */
  reaction: string;
};

/** `caption` */
export type Caption = {
  /** Id of the participant who speaks, perhaps the receiver's own. */
  peerId: string;
  /** Name of that participant. */
  displayName?: string;
  /** Text of the caption. */
  text: string;
  /** True when the words stay as they are; otherwise the next caption of the speaker replaces them. */
  final: boolean;
};

/** `pollChanged` */
export type PollChanged = {
  /** Id of the poll. */
  pollId: number;
  /** Number of votes for each answer. */
  votes: Array<number>;
  /** Whether it has ended. */
  closed: boolean;
};

/** Every request with its payload and the payload of its reply. */
export interface Requests {
  /** Answered by `routerRtpCapabilities`. */
  getRouterRtpCapabilities: { payload: Empty; reply: RouterRtpCapabilities };
  /** Answered by `roomJoined`. */
  joinRoom: { payload: JoinRoom; reply: RoomJoined };
  /** Answered by `done`. */
  testConnection: { payload: Empty; reply: Empty };
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
  /** Answered by `done`. */
  setPriority: { payload: SetPriority; reply: Empty };
  /** Answered by `keyframeRequested`. */
  requestKeyframe: { payload: ConsumerRef; reply: ConsumerRef };
  /** Answered by `stats`. */
  getStats: { payload: SubjectRef; reply: Stats };
  /** Answered by `done`. */
  chat: { payload: Chat; reply: ChatSent };
  /** Answered by `conversation`. */
  getConversation: { payload: GetConversation; reply: Conversation };
  /** Answered by `done`. */
  setHand: { payload: SetHand; reply: Empty };
  /** Answered by `done`. */
  react: { payload: React; reply: Empty };
  /** Answered by `done`. */
  caption: { payload: SendCaption; reply: Empty };
  /** Answered by `done`. */
  openPoll: { payload: OpenPoll; reply: Empty };
  /** Answered by `done`. */
  vote: { payload: Vote; reply: Empty };
  /** Answered by `done`. */
  closePoll: { payload: ClosePoll; reply: Empty };
  /** Answered by `done`. */
  ping: { payload: Ping; reply: Empty };
  /** Answered by `done`. */
  reportQuality: { payload: PageReport; reply: Empty };
  /** Answered by `resumed`. */
  resumeSession: { payload: ResumeSession; reply: Resumed };
  /** Answered by `roomJoined`. */
  enterBreakout: { payload: EnterBreakout; reply: RoomJoined };
  /** Answered by `done`. */
  requestToSpeak: { payload: Empty; reply: Empty };
  /** Answered by `done`. */
  moderate: { payload: Moderate; reply: Empty };
}

/** Every frame that the server sends without a request. */
export interface Notices {
  connected: Connected;
  newPeer: NewPeer;
  peerLeft: PeerLeft;
  participantCount: ParticipantCount;
  activeSpeaker: ActiveSpeaker;
  newProducer: NewProducer;
  producerClosed: PeerProducerRef;
  producerPaused: PeerProducerRef;
  producerResumed: PeerProducerRef;
  consumerClosed: ConsumerClosed;
  consumerPaused: ConsumerPausedNotice;
  consumerResumed: ConsumerPausedNotice;
  consumerLayersChanged: ConsumerLayersChanged;
  producerDemandChanged: ProducerDemandChanged;
  producerScore: ProducerScore;
  consumerScore: ConsumerScore;
  transportClosed: TransportClosed;
  workerLost: Empty;
  serverClosing: ServerClosing;
  waiting: Waiting;
  admitted: RoomJoined;
  moved: RoomJoined;
  breakouts: Breakouts;
  breakoutMoved: BreakoutPerson;
  breakoutsClosed: Empty;
  joinRequested: PeerRequest;
  joinSettled: PeerRef;
  speakRequested: PeerRequest;
  roleChanged: RoleChanged;
  policyChanged: PolicyChanged;
  muted: Produced;
  unmuteRequested: UnmuteRequested;
  sharingStopped: Empty;
  spotlightChanged: SpotlightChanged;
  sharingChanged: SharingChanged;
  interruptionChanged: InterruptionChanged;
  removed: Removed;
  chat: ChatMessage;
  chatPolicyChanged: ChatPolicyChanged;
  handRaised: HandRaised;
  handLowered: PeerRef;
  reaction: Reaction;
  caption: Caption;
  pollOpened: Poll;
  pollChanged: PollChanged;
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
  /** Number of the frame, from 1, in a session that can be resumed. */
  seq?: number;
}
