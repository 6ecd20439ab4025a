/**
 * The small client of the native dialect: frames `{type, payload}` over a plain
 * WebSocket. It sends no ids: a reply is known by its type, and by its kind when
 * two of one type are under way. Whoever is announced is consumed at once,
 * whether or not there is a transport to receive on yet.
 */
import { Device, type types } from 'mediasoup-client';
import type { Client, ClientOptions, Kind, Remote, Sent } from '../client';
import { Diary, Publications, Receptions, type Pending } from '../media';

interface Announced {
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

/** The replies somebody waits for; every other frame is the server's own word. */
const REPLIES = [
  'connected',
  'routerRtpCapabilities',
  'roomJoined',
  'transportCreated',
  'transportConnected',
  'produced',
  'closedProducer',
];

export class DialectClient implements Client {
  peerId = '';
  private readonly diary = new Diary();
  private readonly receptions = new Receptions();
  private readonly publications: Publications;
  private readonly waiting = new Map<string, Pending<never>[]>();
  private socket: WebSocket | null = null;
  private device = new Device();
  private sending: types.Transport | null = null;
  private receiving: types.Transport | null = null;

  constructor(private readonly options: ClientOptions) {
    this.publications = new Publications(options);
  }

  get log() {
    return this.diary.log;
  }

  get failures() {
    return this.diary.failures;
  }

  get carrier(): string {
    return 'websocket';
  }

  async join(room: string | null): Promise<void> {
    this.forget();
    if (!this.socket) await this.open();
    const { rtpCapabilities } = await this.ask<{ rtpCapabilities: types.RtpCapabilities }>(
      'getRouterRtpCapabilities', {}, 'routerRtpCapabilities');
    this.device = new Device();
    await this.device.load({ routerRtpCapabilities: rtpCapabilities });
    const { existingProducers } = await this.ask<Joined>('joinRoom', { roomId: room }, 'roomJoined');
    for (const { producers } of existingProducers) for (const { producerId } of producers) this.consume(producerId);
    this.receiving = this.device.createRecvTransport(await this.transport('recv'));
    this.connects(this.receiving);
  }

  async publish(): Promise<Record<Kind, string>> {
    const transport = this.device.createSendTransport(await this.transport('send'));
    this.sending = transport;
    this.connects(transport);
    transport.on('produce', ({ kind, rtpParameters }, done, failed) => {
      const request = { transportId: transport.id, kind, rtpParameters };
      this.ask<{ producerId: string }>('produce', request, `produced ${kind}`)
        .then(({ producerId }) => done({ id: producerId }), failed);
    });
    return this.publications.publish(transport);
  }

  remotes(): Promise<Remote[]> {
    return this.receptions.remotes();
  }

  async closeProducer(sent: Sent): Promise<void> {
    const producerId = this.publications.close(sent);
    await this.ask('closeProducer', { producerId }, 'closedProducer');
  }

  async leave(): Promise<void> {
    this.forget();
    this.socket?.close();
    this.socket = null;
  }

  private async open(): Promise<void> {
    const socket = new WebSocket(`${this.options.url.replace('http', 'ws')}/ws`);
    this.socket = socket;
    socket.onmessage = ({ data }) => this.receive(JSON.parse(String(data)) as Frame);
    const { peerId } = await this.reply<{ peerId: string }>('connected');
    this.peerId = peerId;
  }

  private receive({ type, payload }: Frame): void {
    const kind = type === 'produced' ? ` ${(payload as { kind: Kind }).kind}` : '';
    const first = this.waiting.get(`${type}${kind}`)?.shift();
    if (first) first.resolve(payload);
    if (REPLIES.includes(type)) return;
    this.diary.hear(type, payload);
    if (type === 'newProducer') this.consume((payload as Announced).producerId);
    if (type === 'consumed') this.diary.watch(this.consumed(payload));
    if (type === 'producerClosed') this.receptions.ofProducer((payload as Announced).producerId);
    if (type === 'peerLeft') this.receptions.ofOwner((payload as Announced).peerId);
    if (type === 'error') this.fail(new Error((payload as { message: string }).message));
  }

  private consume(producerId: string): void {
    this.send('consume', { producerId, rtpCapabilities: this.device.rtpCapabilities });
  }

  private async consumed({ consumerId, producerId, producerPeerId, kind, rtpParameters }: Consumed): Promise<void> {
    if (!this.receiving) throw new Error('a consumer came before its transport');
    const consumer = await this.receiving.consume({ id: consumerId, producerId, kind, rtpParameters });
    this.receptions.add(consumer, producerPeerId);
    this.send('resumeConsumer', { consumerId });
  }

  private async transport(direction: 'send' | 'recv'): Promise<types.TransportOptions> {
    const { transportId, ...created } = await this.ask<Created>('createTransport', { direction }, 'transportCreated');
    return { id: transportId, ...created };
  }

  /** Nobody waits for the answer: media may come before it. */
  private connects(transport: types.Transport): void {
    transport.on('connect', ({ dtlsParameters }, done) => {
      this.send('connectTransport', { transportId: transport.id, dtlsParameters });
      done();
    });
  }

  private ask<T>(type: string, payload: unknown, reply: string): Promise<T> {
    this.send(type, payload);
    return this.reply(reply);
  }

  private reply<T>(type: string): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const queue = this.waiting.get(type) ?? [];
      this.waiting.set(type, queue);
      queue.push({ resolve, reject });
    });
  }

  private send(type: string, payload: unknown): void {
    this.socket?.send(JSON.stringify({ type, payload }));
  }

  /** An error names no request: whoever waits hears it. */
  private fail(error: Error): void {
    this.diary.failures.push(error.message);
    for (const queue of this.waiting.values()) for (const { reject } of queue.splice(0)) reject(error);
  }

  private forget(): void {
    this.diary.leave();
    this.publications.all();
    this.receptions.all();
    this.sending?.close();
    this.receiving?.close();
    this.sending = this.receiving = null;
  }
}
