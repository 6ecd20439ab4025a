/**
 * Test client of the meetlite dialect. A token in the handshake identifies the user. Nothing is
 * acknowledged: every reply is an event, and `error` rejects all pending requests. The server
 * creates the consumers; this client resumes them.
 */
import { Device, type types } from 'mediasoup-client';
import { SocketIoClient } from '../baseClient';
import type { Kind, ProducerSource } from '../client';
import type { Deferred } from '../media';
import { SocketIoConnection } from '../socketIoConnection';

type Direction = 'send' | 'recv';

interface ConsumerNotice {
  participantId: string;
  producerId: string;
  consumerId: string;
}

interface NewConsumer extends ConsumerNotice {
  kind: Kind;
  rtpParameters: types.RtpParameters;
}

interface PendingReply {
  matches: (payload: never) => boolean;
  deferred: Deferred<never>;
}

const REPLIES = ['router-rtp-capabilities', 'webrtc-transport-created', 'producer-created'];

export class DialectClient extends SocketIoClient {
  private readonly pending = new Map<string, PendingReply[]>();
  private roomId = '';

  async join(room: string | null): Promise<void> {
    this.closeMedia();
    if (!this.connection) {
      this.connection = this.createConnection();
      await this.connection.connect();
      this.peerId = this.options.peerId;
    }
    this.roomId = room ?? '';
    const { rtpCapabilities } = await this.emitAndAwait<{ rtpCapabilities: types.RtpCapabilities }>(
      'join-room', { roomId: this.roomId }, 'router-rtp-capabilities');
    const device = new Device();
    await device.load({ routerRtpCapabilities: rtpCapabilities });
    const send = this.addTransport('send', device.createSendTransport(await this.createTransport('send')));
    const recv = this.addTransport('recv', device.createRecvTransport(await this.createTransport('recv')));
    this.connectOnDemand(send, 'send');
    this.connectOnDemand(recv, 'recv');
    send.on('produce', ({ kind, rtpParameters, appData }, done, failed) => {
      const request = { kind, rtpParameters, appData };
      this.emitAndAwait<{ producerId: string }>('create-producer', request, 'producer-created', { kind })
        .then(({ producerId }) => done({ id: producerId }), failed);
    });
    this.connection.emit('set-rtp-capabilities', { rtpCapabilities: device.rtpCapabilities });
  }

  async publish(): Promise<Record<Kind, string>> {
    return this.producers.publish(this.transport('send'));
  }

  async shareScreen(): Promise<string> {
    return this.producers.shareScreen(this.transport('send'));
  }

  override async closeProducer(source: ProducerSource): Promise<void> {
    this.producers.close(source);
    this.connection?.emit('close-producer', { kind: source === 'screen' ? 'screen-video' : source });
  }

  private createConnection(): SocketIoConnection {
    const auth = { token: this.options.token };
    const connection = new SocketIoConnection(this.options.url, this.log, { transports: ['websocket'], auth });
    for (const event of REPLIES) connection.on<object>(event, (payload) => this.handleReply(event, payload));
    connection.on<NewConsumer>('new-consumer', (created) => this.log.watch(this.consume(created)));
    connection.on<ConsumerNotice>('consumer-closed', ({ consumerId }) => this.consumers.closeConsumer(consumerId));
    connection.on<ConsumerNotice>('producer-closed', ({ producerId }) => this.consumers.closeProducer(producerId));
    connection.on<ConsumerNotice>('participant-left', ({ participantId }) => this.consumers.closeOwner(participantId));
    connection.on<{ message: string }>('error', ({ message }) => this.rejectAll(message));
    connection.on<{ error: string }>('consumer-error', ({ error }) => this.rejectAll(error));
    return connection;
  }

  private async consume({ participantId, producerId, consumerId, kind, rtpParameters }: NewConsumer): Promise<void> {
    const consumer = await this.transport('recv').consume({ id: consumerId, producerId, kind, rtpParameters });
    this.consumers.add(consumer, participantId);
    this.connection?.emit('resume-consumer', { consumerId });
  }

  private createTransport(direction: Direction): Promise<types.TransportOptions> {
    const request = { roomId: this.roomId, direction };
    return this.emitAndAwait('create-webrtc-transport', request, 'webrtc-transport-created', { direction });
  }

  private connectOnDemand(transport: types.Transport, direction: Direction): void {
    transport.on('connect', ({ dtlsParameters }, done) => {
      this.connection?.emit('connect-webrtc-transport', { dtlsParameters, direction });
      done();
    });
  }

  /** Emits an event and waits for the reply with this name and these values. */
  private emitAndAwait<T>(
    event: string,
    payload: object,
    reply: string,
    values: Partial<Record<string, string>> = {},
  ): Promise<T> {
    const matches = (answer: Record<string, unknown>) =>
      Object.entries(values).every(([name, value]) => answer[name] === value);
    const answered = new Promise<T>((resolve, reject) => {
      const queue = this.pending.get(reply) ?? [];
      this.pending.set(reply, queue);
      queue.push({ matches, deferred: { resolve, reject } });
    });
    this.connection?.emit(event, payload);
    return answered;
  }

  private handleReply(reply: string, payload: object): void {
    const queue = this.pending.get(reply) ?? [];
    const index = queue.findIndex(({ matches }) => matches(payload as never));
    if (index < 0) this.log.failures.push(`${reply} matches no request`);
    else queue.splice(index, 1)[0]?.deferred.resolve(payload as never);
  }

  private rejectAll(message: string): void {
    this.log.failures.push(message);
    const error = new Error(message);
    for (const queue of this.pending.values()) for (const { deferred } of queue.splice(0)) deferred.reject(error);
  }
}
