/**
 * The small client of the meetlite dialect. A token in the handshake says who it
 * is; nothing is acknowledged, every reply is an event, and `error` breaks every
 * promise that waits. The server makes the consumers; this client resumes them.
 */
import { Device, type types } from 'mediasoup-client';
import type { Client, ClientOptions, Kind, Remote, Sent } from '../client';
import { Diary, Publications, Receptions, type Pending } from '../media';
import { Line } from '../socketIoConnection';

type Direction = 'send' | 'recv';

interface NewConsumer {
  participantId: string;
  producerId: string;
  consumerId: string;
  kind: Kind;
  rtpParameters: types.RtpParameters;
}

interface Named {
  participantId: string;
  consumerId: string;
  producerId: string;
}

interface Awaited {
  matches: (payload: never) => boolean;
  pending: Pending<never>;
}

const REPLIES = ['router-rtp-capabilities', 'webrtc-transport-created', 'producer-created'];

export class DialectClient implements Client {
  peerId = '';
  private readonly diary = new Diary();
  private readonly receptions = new Receptions();
  private readonly publications: Publications;
  private readonly waiting = new Map<string, Awaited[]>();
  private line: Line | null = null;
  private roomId = '';
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
    return this.line?.carrier ?? 'none';
  }

  async join(room: string | null): Promise<void> {
    this.forget();
    if (!this.line) {
      this.line = this.open();
      await this.line.connect();
      this.peerId = this.options.peerId;
    }
    this.roomId = room ?? '';
    const { rtpCapabilities } = await this.ask<{ rtpCapabilities: types.RtpCapabilities }>(
      'join-room', { roomId: this.roomId }, 'router-rtp-capabilities');
    const device = new Device();
    await device.load({ routerRtpCapabilities: rtpCapabilities });
    this.sending = device.createSendTransport(await this.transport('send'));
    this.receiving = device.createRecvTransport(await this.transport('recv'));
    this.connects(this.sending, 'send');
    this.connects(this.receiving, 'recv');
    this.sending.on('produce', ({ kind, rtpParameters, appData }, done, failed) => {
      this.ask<{ producerId: string }>('create-producer', { kind, rtpParameters, appData }, 'producer-created', { kind })
        .then(({ producerId }) => done({ id: producerId }), failed);
    });
    this.line.emit('set-rtp-capabilities', { rtpCapabilities: device.rtpCapabilities });
  }

  async publish(): Promise<Record<Kind, string>> {
    if (!this.sending) throw new Error('not in a room');
    return this.publications.publish(this.sending);
  }

  async share(): Promise<string> {
    if (!this.sending) throw new Error('not in a room');
    return this.publications.share(this.sending);
  }

  remotes(): Promise<Remote[]> {
    return this.receptions.remotes();
  }

  async closeProducer(sent: Sent): Promise<void> {
    this.publications.close(sent);
    this.line?.emit('close-producer', { kind: sent === 'screen' ? 'screen-video' : sent });
  }

  async leave(): Promise<void> {
    this.forget();
    this.line?.disconnect();
    this.line = null;
  }

  private open(): Line {
    const auth = { token: this.options.token };
    const line = new Line(this.options.url, this.diary, { transports: ['websocket'], auth });
    for (const event of REPLIES) line.on<object>(event, (payload) => this.answer(event, payload));
    line.on<NewConsumer>('new-consumer', (announced) => this.diary.watch(this.consume(announced)));
    line.on<Named>('consumer-closed', ({ consumerId }) => this.receptions.ofConsumer(consumerId));
    line.on<Named>('producer-closed', ({ producerId }) => this.receptions.ofProducer(producerId));
    line.on<Named>('participant-left', ({ participantId }) => this.receptions.ofOwner(participantId));
    line.on<{ message: string }>('error', ({ message }) => this.fail(message));
    line.on<{ error: string }>('consumer-error', ({ error }) => this.fail(error));
    return line;
  }

  private async consume(announced: NewConsumer): Promise<void> {
    if (!this.receiving) throw new Error('a consumer came before its transport');
    const { participantId, producerId, consumerId, kind, rtpParameters } = announced;
    const consumer = await this.receiving.consume({ id: consumerId, producerId, kind, rtpParameters });
    this.receptions.add(consumer, participantId);
    this.line?.emit('resume-consumer', { consumerId });
  }

  private transport(direction: Direction): Promise<types.TransportOptions> {
    const request = { roomId: this.roomId, direction };
    return this.ask('create-webrtc-transport', request, 'webrtc-transport-created', { direction });
  }

  private connects(transport: types.Transport, direction: Direction): void {
    transport.on('connect', ({ dtlsParameters }, done) => {
      this.line?.emit('connect-webrtc-transport', { dtlsParameters, direction });
      done();
    });
  }

  /** Emits, and waits for the reply of this name that has these values. */
  private ask<T>(event: string, payload: object, reply: string, having: Partial<Record<string, string>> = {}): Promise<T> {
    const matches = (answer: Record<string, unknown>) =>
      Object.entries(having).every(([name, value]) => answer[name] === value);
    const answered = new Promise<T>((resolve, reject) => {
      const queue = this.waiting.get(reply) ?? [];
      this.waiting.set(reply, queue);
      queue.push({ matches, pending: { resolve, reject } });
    });
    this.line?.emit(event, payload);
    return answered;
  }

  private answer(reply: string, payload: object): void {
    const queue = this.waiting.get(reply) ?? [];
    const at = queue.findIndex(({ matches }) => matches(payload as never));
    if (at < 0) this.diary.failures.push(`${reply} answers nothing`);
    else queue.splice(at, 1)[0]?.pending.resolve(payload as never);
  }

  private fail(message: string): void {
    this.diary.failures.push(message);
    const error = new Error(message);
    for (const queue of this.waiting.values()) for (const { pending } of queue.splice(0)) pending.reject(error);
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
