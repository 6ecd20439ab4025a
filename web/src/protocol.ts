/**
 * The words spoken between this page and the server: every frame on the
 * WebSocket is `{type, payload, id?}` as JSON text. A request carries an `id`,
 * its reply (or its `error`) carries the same one; frames without an `id` are
 * notices. Nothing else in the client may name a wire field that is not here.
 */

export type Kind = 'audio' | 'video';

/** What a producer shows or sounds like to people; absent means what its kind suggests. */
export type Source = 'mic' | 'camera' | 'screen' | 'screen-audio';

/** Objects that travel untouched between the server and mediasoup-client; `media.ts` alone looks inside. */
export type Opaque = Record<string, unknown>;
export type RtpCapabilities = Opaque;
export type RtpParameters = Opaque;
export type IceParameters = Opaque;
export type IceCandidate = Opaque;
export type DtlsParameters = Opaque;

export interface ProducerSummary {
  producerId: string;
  kind: Kind;
  source?: Source;
  paused?: boolean;
}

export interface PeerProducers {
  peerId: string;
  displayName?: string;
  producers: ProducerSummary[];
}

export interface ParticipantSummary {
  peerId: string;
  displayName?: string;
  audio: boolean;
  video: boolean;
}

export interface RoomJoined {
  roomId: string;
  peers: string[];
  existingProducers: PeerProducers[];
  participants?: ParticipantSummary[];
}

export interface TransportCreated {
  transportId: string;
  iceParameters: IceParameters;
  iceCandidates: IceCandidate[];
  dtlsParameters: DtlsParameters;
  direction: Direction;
}

export type Direction = 'send' | 'recv';

export interface Consumed {
  consumerId: string;
  producerId: string;
  producerPeerId: string;
  kind: Kind;
  rtpParameters: RtpParameters;
}

export interface IceServer {
  urls: string | string[];
  username?: string;
  credential?: string;
}

/** The server's greeting, sent at once when a socket opens. */
export interface Connected {
  peerId: string;
  iceServers?: IceServer[];
  /** What to do differently: `forceVideoCodec` names a codec as `video/VP9`. */
  options?: { forceVideoCodec?: string };
}

/** Every request: what it carries and what comes back. */
export interface Requests {
  getRouterRtpCapabilities: { payload: Record<string, never>; reply: { rtpCapabilities: RtpCapabilities } };
  joinRoom: { payload: { roomId: string; displayName?: string; resume?: string }; reply: RoomJoined };
  leaveRoom: { payload: Record<string, never>; reply: { roomId: string } };
  createTransport: { payload: { direction: Direction }; reply: TransportCreated };
  connectTransport: {
    payload: { transportId: string; dtlsParameters: DtlsParameters };
    reply: { transportId: string };
  };
  restartIce: { payload: { transportId: string }; reply: { transportId: string; iceParameters: IceParameters } };
  produce: {
    payload: { transportId: string; kind: Kind; rtpParameters: RtpParameters; source?: Source; paused?: boolean };
    reply: { producerId: string; kind: Kind };
  };
  closeProducer: { payload: { producerId: string }; reply: { producerId: string } };
  pauseProducer: { payload: { producerId: string }; reply: { producerId: string } };
  resumeProducer: { payload: { producerId: string }; reply: { producerId: string } };
  consume: {
    payload: { producerId: string; rtpCapabilities: RtpCapabilities; transportId?: string };
    reply: Consumed;
  };
  resumeConsumer: { payload: { consumerId: string }; reply: { consumerId: string } };
  pauseConsumer: { payload: { consumerId: string }; reply: { consumerId: string } };
  setPreferredLayers: {
    payload: { consumerId: string; spatialLayer: number; temporalLayer?: number };
    reply: { consumerId: string };
  };
  requestKeyframe: { payload: { consumerId: string }; reply: { consumerId: string } };
}

export type RequestType = keyof Requests;
export type PayloadOf<T extends RequestType> = Requests[T]['payload'];
export type ReplyOf<T extends RequestType> = Requests[T]['reply'];

/** Every frame the server sends on its own. */
export interface Notices {
  connected: Connected;
  newPeer: { peerId: string; displayName?: string };
  peerLeft: { peerId: string };
  newProducer: ProducerSummary & { peerId: string; displayName?: string };
  producerClosed: { peerId: string; producerId: string };
  producerPaused: { peerId: string; producerId: string };
  producerResumed: { peerId: string; producerId: string };
  consumerClosed: { consumerId: string; producerId: string };
  consumerPaused: { consumerId: string; byProducer: boolean };
  consumerResumed: { consumerId: string; byProducer: boolean };
  consumerLayersChanged: { consumerId: string; spatialLayer?: number; temporalLayer?: number };
  transportClosed: { transportId: string; reason: string };
  /** The participant's transports are gone; joining again on the same socket brings everything back. */
  workerLost: Record<string, never>;
  error: ErrorPayload;
}

export type Notice = { [T in keyof Notices]: { type: T; payload: Notices[T] } }[keyof Notices];

export interface ErrorPayload {
  message: string;
  code?: string;
}

/** A frame as it is on the wire. */
export interface Frame {
  type: string;
  payload: unknown;
  id?: string | number;
}
