/**
 * Interface of the test clients, one for each dialect. Each module such as
 * `sfu/client.ts` exports a `DialectClient` that speaks its dialect as
 * docs/protocol.md describes it, and no other.
 */

import type { types } from 'mediasoup-client';
import type { InboundReport } from '../lineQuality';

export const DIALECTS = ['native', 'sfu', 'tutorial', 'rmm', 'meetlite', 'call', 'protoo'] as const;
export type Dialect = (typeof DIALECTS)[number];
export type Kind = 'audio' | 'video';
/** Source of a client's producer: microphone, camera or screen. */
export type ProducerSource = Kind | 'screen';
/** Ids of a client's producers, by source. */
export type PublishedIds = Partial<Record<ProducerSource, string>>;

export interface Camera {
  width: number;
  height: number;
  frameRate: number;
}

export interface ClientOptions {
  /** The server's URL, as `http://localhost:3000`. */
  url: string;
  camera: Camera;
  /** Encodings of the camera, if not the dialect's usual ones. */
  encodings: types.RtpEncodingParameters[] | null;
  /** Whether nothing is consumed before there is a transport to receive on, where the dialect leaves that open. */
  awaitsReceiveTransport: boolean;
  /** Order in which the kinds are produced. */
  produceOrder: readonly Kind[];
  /** This participant's id where the client chooses it (protoo). */
  peerId: string;
  /** Socket.IO namespace, if not the dialect's usual one. */
  namespace: string | null;
  /** First event of a tutorial client. */
  firstEvent: string | null;
  /** Whether to stay on long-polling, for clients that start with it. */
  pollingOnly: boolean;
  /** User token (meetlite) or invitation (rmm). */
  token: string | null;
}

/** A message of the server that is no reply. */
export interface ServerEvent {
  event: string;
  payload: unknown;
}

/** Counters of one consumer. */
export interface ConsumerStats {
  consumerId: string;
  producerId: string;
  kind: Kind;
  framesDecoded: number;
  audioEnergy: number;
}

export interface Client {
  /** Every event of the server, oldest first. */
  readonly events: readonly ServerEvent[];
  /** Every error in this client. */
  readonly failures: readonly string[];
  /** This participant's id as the server tells others; empty before the first join. */
  readonly peerId: string;
  /** `websocket` or `polling`: what the connection uses now. */
  readonly transportName: string;
  /** Joins a room, with the present connection if there is one. Null is the default room. */
  join(room: string | null, name: string): Promise<void>;
  /** Produces camera and microphone; returns the producers' ids. */
  publish(): Promise<Record<Kind, string>>;
  /** Produces a screen, where the dialect tells it from a camera; returns the producer's id. */
  shareScreen?(): Promise<string>;
  /** Receives what the server chooses, where the client does not; returns the producer's id. */
  receive?(): Promise<string>;
  consumerStats(): Promise<ConsumerStats[]>;
  /** Returns the reports of all receivers, as the browser gives them. */
  inboundReports(): Promise<InboundReport[]>;
  /** Closes one of its producers, where the dialect has a message for that. */
  closeProducer(source: ProducerSource): Promise<void>;
  /** Disconnects. */
  leave(): Promise<void>;
}

/** What a bundle exports to the page. */
export interface ClientModule {
  DialectClient: new (options: ClientOptions) => Client;
}

/** An event that the server must send, with at least these values. */
export interface ExpectedEvent {
  event: string;
  payload: Record<string, unknown>;
}
