/**
 * Test client of the native dialect: frames `{type, payload}` over a plain WebSocket. Sends
 * no ids before it shares a screen: replies are matched by type, and by kind where two of one type are pending. It
 * consumes announced producers at once, before it has a transport to receive on, unless
 * told to wait for that.
 */
import { Device, type types } from 'mediasoup-client';
import { BaseClient } from '../baseClient';
import type { Kind, ProducerSource } from '../client';
import type { Deferred } from '../media';

interface ProducerNotice {
  peerId: string;
  producerId: string;
}

interface Joined {
  existingProducers: { peerId: string; producers: { producerId: string }[] }[];
}

interface Created extends Omit<types.TransportOptions, 'id'> {
  transportId: string;
}

interface Consumed {
  consumerId: string;
  producerId: string;
  producerPeerId: string;
  kind: Kind;
  rtpParameters: types.RtpParameters;
}

interface Frame {
  type: string;
  payload: never;
}

/** Types of awaited replies; all other frames are logged as events. */
const REPLIES = [
  'connected',
  'routerRtpCapabilities',
  'roomJoined',
  'transportCreated',
  'transportConnected',
  'produced',
  'closedProducer',
];

export class DialectClient extends BaseClient {
  private readonly pending = new Map<string, Deferred<never>[]>();
  private socket: WebSocket | null = null;
  private device = new Device();
  /** Id of the last request; null while requests have none. */
  private lastId: number | null = null;

  async join(room: string | null): Promise<void> {
    this.closeMedia();
    if (!this.socket) await this.connect();
    const { rtpCapabilities } = await this.request<{ rtpCapabilities: types.RtpCapabilities }>(
      'getRouterRtpCapabilities', {}, 'routerRtpCapabilities');
    this.device = new Device();
    await this.device.load({ routerRtpCapabilities: rtpCapabilities });
    const { existingProducers } = await this.request<Joined>('joinRoom', { roomId: room }, 'roomJoined');
    const consumeExisting = () => {
      for (const { producers } of existingProducers) for (const { producerId } of producers) this.consume(producerId);
    };
    if (!this.options.awaitsReceiveTransport) consumeExisting();
    this.connectOnDemand(this.addTransport('recv', this.device.createRecvTransport(await this.createTransport('recv'))));
    if (this.options.awaitsReceiveTransport) consumeExisting();
  }

  async publish(): Promise<Record<Kind, string>> {
    return this.producers.publish(await this.sendTransport());
  }

  /** Sends ids from now on: only clients that do are told what the receivers want. */
  async shareScreen(): Promise<string> {
    this.lastId = 0;
    return this.producers.shareScreen(await this.sendTransport());
  }

  private async sendTransport(): Promise<types.Transport> {
    const open = this.transports.get('send');
    if (open) return open;
    const transport = this.addTransport('send', this.device.createSendTransport(await this.createTransport('send')));
    this.connectOnDemand(transport);
    transport.on('produce', ({ kind, rtpParameters, appData }, done, failed) => {
      const request = { transportId: transport.id, kind, rtpParameters, ...(appData.screen === true && { source: 'screen' }) };
      this.request<{ producerId: string }>('produce', request, `produced ${kind}`)
        .then(({ producerId }) => done({ id: producerId }), failed);
    });
    return transport;
  }

  override async closeProducer(source: ProducerSource): Promise<void> {
    const producerId = this.producers.close(source);
    await this.request('closeProducer', { producerId }, 'closedProducer');
  }

  async leave(): Promise<void> {
    this.closeMedia();
    this.socket?.close();
    this.socket = null;
  }

  private async connect(): Promise<void> {
    const socket = new WebSocket(`${this.options.url.replace('http', 'ws')}/ws`);
    this.socket = socket;
    socket.onmessage = ({ data }) => this.handleFrame(JSON.parse(String(data)) as Frame);
    const { peerId } = await this.reply<{ peerId: string }>('connected');
    this.peerId = peerId;
  }

  private handleFrame({ type, payload }: Frame): void {
    const kind = type === 'produced' ? ` ${(payload as { kind: Kind }).kind}` : '';
    this.pending.get(`${type}${kind}`)?.shift()?.resolve(payload);
    if (REPLIES.includes(type)) return;
    this.log.record(type, payload);
    if (type === 'producerDemandChanged') this.log.watch(this.producers.fitScreenToDemand(payload));
    if (type === 'newProducer') this.consume((payload as ProducerNotice).producerId);
    if (type === 'consumed') this.log.watch(this.handleConsumed(payload));
    if (type === 'producerClosed') this.consumers.closeProducer((payload as ProducerNotice).producerId);
    if (type === 'peerLeft') this.consumers.closeOwner((payload as ProducerNotice).peerId);
    if (type === 'error') this.rejectAll(new Error((payload as { message: string }).message));
  }

  private consume(producerId: string): void {
    this.send('consume', { producerId, rtpCapabilities: this.device.rtpCapabilities });
  }

  private async handleConsumed({ consumerId, producerId, producerPeerId, kind, rtpParameters }: Consumed): Promise<void> {
    const consumer = await this.transport('recv').consume({ id: consumerId, producerId, kind, rtpParameters });
    this.consumers.add(consumer, producerPeerId);
    this.send('resumeConsumer', { consumerId });
  }

  private async createTransport(direction: 'send' | 'recv'): Promise<types.TransportOptions> {
    const { transportId, ...created } = await this.request<Created>('createTransport', { direction }, 'transportCreated');
    return { id: transportId, ...created };
  }

  /** Does not wait for the reply: media may arrive before it. */
  private connectOnDemand(transport: types.Transport): void {
    transport.on('connect', ({ dtlsParameters }, done) => {
      this.send('connectTransport', { transportId: transport.id, dtlsParameters });
      done();
    });
  }

  private request<T>(type: string, payload: unknown, reply: string): Promise<T> {
    this.send(type, payload);
    return this.reply(reply);
  }

  private reply<T>(type: string): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const queue = this.pending.get(type) ?? [];
      this.pending.set(type, queue);
      queue.push({ resolve, reject });
    });
  }

  private send(type: string, payload: unknown): void {
    if (this.lastId !== null) this.lastId += 1;
    this.socket?.send(JSON.stringify({ type, payload, ...(this.lastId !== null && { id: this.lastId }) }));
  }

  /** An error names no request, so it rejects all that are pending. */
  private rejectAll(error: Error): void {
    this.log.failures.push(error.message);
    for (const queue of this.pending.values()) for (const { reject } of queue.splice(0)) reject(error);
  }
}
