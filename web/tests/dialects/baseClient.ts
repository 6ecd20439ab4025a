/** What the test clients have in common: transports, producers, consumers and the event log. */
import type { types } from 'mediasoup-client';
import type { InboundReport } from '../lineQuality';
import type { Client, ClientOptions, ConsumerStats, Kind, ProducerSource } from './client';
import { Consumers, EventLog, Producers } from './media';
import type { SocketIoConnection } from './socketIoConnection';

/** Fields of the messages that create a consumer. */
export interface ConsumerParameters {
  id: string;
  producerId: string;
  kind: Kind;
  rtpParameters: types.RtpParameters;
}

export abstract class BaseClient implements Client {
  peerId = '';
  protected readonly log = new EventLog();
  protected readonly consumers = new Consumers();
  protected readonly producers: Producers;
  /** Open transports: `send`, and `recv` or one for each consumed producer id. */
  protected readonly transports = new Map<string, types.Transport>();

  constructor(protected readonly options: ClientOptions) {
    this.producers = new Producers(options);
  }

  abstract join(room: string | null, name: string): Promise<void>;
  abstract publish(): Promise<Record<Kind, string>>;
  abstract leave(): Promise<void>;

  get events() {
    return this.log.events;
  }

  get failures() {
    return this.log.failures;
  }

  get transportName(): string {
    return 'websocket';
  }

  consumerStats(): Promise<ConsumerStats[]> {
    return this.consumers.stats();
  }

  inboundReports(): Promise<InboundReport[]> {
    return this.consumers.inboundReports();
  }

  async closeProducer(_source: ProducerSource): Promise<void> {
    throw new Error('this dialect has no message that closes a producer');
  }

  protected transport(name: string): types.Transport {
    const transport = this.transports.get(name);
    if (!transport) throw new Error(`there is no transport ${name}`);
    return transport;
  }

  protected addTransport(name: string, transport: types.Transport): types.Transport {
    this.transports.set(name, transport);
    return transport;
  }

  /** Closes a producer's consumer and the transport that only it used. */
  protected closeConsumedProducer(producerId: string): void {
    this.consumers.closeProducer(producerId);
    this.transports.get(producerId)?.close();
    this.transports.delete(producerId);
  }

  /** Closes all media of the present room. */
  protected closeMedia(): void {
    this.log.leaveRoom();
    this.producers.closeAll();
    this.consumers.closeAll();
    for (const transport of this.transports.values()) transport.close();
    this.transports.clear();
  }
}

/** A client over Socket.IO. */
export abstract class SocketIoClient extends BaseClient {
  protected connection: SocketIoConnection | null = null;

  override get transportName(): string {
    return this.connection?.transportName ?? 'none';
  }

  async leave(): Promise<void> {
    this.closeMedia();
    this.connection?.disconnect();
    this.connection = null;
  }

  /** Sends a request and returns its acknowledgement. */
  protected request<T>(event: string, ...payload: object[]): Promise<T> {
    if (!this.connection) throw new Error('not connected');
    return this.connection.request<T>(event, ...payload);
  }
}
