/**
 * What every small client of a dialect can do, in the words the tests use. One
 * module per dialect (`sfu/client.ts` and so on) exports a `DialectClient` of
 * this shape; it speaks its dialect as docs/protocol.md describes it and
 * nothing of another.
 */

export type Dialect = 'native' | 'sfu' | 'rmm' | 'meetlite' | 'call' | 'protoo';
export type Kind = 'audio' | 'video';
/** What a client can send: its microphone, its camera, a screen. */
export type Sent = Kind | 'screen';

export interface Camera {
  width: number;
  height: number;
  frameRate: number;
}

export interface ClientOptions {
  /** The server's address, as `http://localhost:3000`. */
  url: string;
  camera: Camera;
  /** What is published first and what next. */
  order: readonly Kind[];
  /** The name of this participant where a client chooses it itself (protoo). */
  peerId: string;
  /** Where a Socket.IO client connects, if not in its dialect's usual namespace. */
  namespace: string | null;
  /** Whether to stay on long-polling, where a client begins with it. */
  pollingOnly: boolean;
  /** What proves who this is, where that is asked (meetlite, rmm's invitations). */
  token: string | null;
}

/** One thing the server said on its own, as it said it. */
export interface Heard {
  event: string;
  payload: unknown;
}

/** How much of one remote producer has arrived so far. */
export interface Remote {
  /** The consumer's id. */
  id: string;
  producerId: string;
  kind: Kind;
  framesDecoded: number;
  energy: number;
}

export interface Client {
  /** Everything the server said on its own, oldest first. */
  readonly log: readonly Heard[];
  /** Everything that went wrong in this client. */
  readonly failures: readonly string[];
  /** How the server names this participant to others; empty before the first join. */
  readonly peerId: string;
  /** What the connection runs on now. */
  readonly carrier: string;
  /** Enters a room, on the connection there is; the first time, opens one. No room is the default room. */
  join(room: string | null, name: string): Promise<void>;
  /** Sends camera and microphone; answers with the producers' ids. */
  publish(): Promise<Record<Kind, string>>;
  /** Sends a screen too, where the dialect tells it from a camera; answers with the producer's id. */
  share?(): Promise<string>;
  remotes(): Promise<Remote[]>;
  /** Takes one of its producers away, where the dialect has a word for it. */
  closeProducer(sent: Sent): Promise<void>;
  /** Hangs up. */
  leave(): Promise<void>;
}

/** What a bundle leaves behind on the page. */
export interface ClientModule {
  DialectClient: new (options: ClientOptions) => Client;
}
