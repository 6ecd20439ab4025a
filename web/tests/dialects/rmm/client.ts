/**
 * The small client of the rmm dialect. It starts on long-polling. Every request
 * names the room and is acknowledged. It never resumes a consumer, and learns
 * its receive transport from the first consumer's acknowledgement.
 */
import { Device, type types } from 'mediasoup-client';
import type { Client, ClientOptions, Kind, Remote } from '../client';
import { Diary, Publications, Receptions } from '../media';
import { Line, beginning } from '../socketIoConnection';

interface Joined {
  rtpCapabilitiesRouter: types.RtpCapabilities;
  existingProducers: { peerId: string; producerId: string }[];
}

interface Announced {
  producerId: string;
  producerSocketId: string;
}

interface Consumed extends Omit<types.TransportOptions, 'id'> {
  id: string;
  producerId: string;
  kind: Kind;
  rtpParameters: types.RtpParameters;
  transportId: string;
}

export class DialectClient implements Client {
  peerId = '';
  private readonly diary = new Diary();
  private readonly receptions = new Receptions();
  private readonly publications: Publications;
  private line: Line | null = null;
  private roomId = '';
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
    return this.line?.carrier ?? 'none';
  }

  async join(room: string | null, displayName: string): Promise<void> {
    this.forget();
    if (!this.line) {
      this.line = this.open();
      await this.line.connect();
      this.peerId = this.line.id;
    }
    this.roomId = room ?? '';
    const { token } = this.options;
    const request = { displayName, rtpCapabilities: {}, ...(token !== null && { inviteToken: token }) };
    const { rtpCapabilitiesRouter, existingProducers } = await this.ask<Joined>('join', request);
    this.device = new Device();
    await this.device.load({ routerRtpCapabilities: rtpCapabilitiesRouter });
    for (const { peerId, producerId } of existingProducers) this.diary.watch(this.consume(producerId, peerId));
  }

  async publish(): Promise<Record<Kind, string>> {
    const created = await this.ask<types.TransportOptions>('createTransport', { kind: 'send' });
    const again = await this.ask<types.TransportOptions>('createTransport', { kind: 'send' });
    if (created.id !== again.id) throw new Error('asked twice, the server made two transports to send on');
    const transport = this.device.createSendTransport(created);
    this.sending = transport;
    this.connects(transport);
    transport.on('produce', ({ kind, rtpParameters }, done, failed) => {
      const request = { transportId: transport.id, kind, rtpParameters };
      this.ask<{ id: string }>('produce', request).then(done, failed);
    });
    return this.publications.publish(transport);
  }

  remotes(): Promise<Remote[]> {
    return this.receptions.remotes();
  }

  async closeProducer(): Promise<void> {
    throw new Error('the rmm dialect has no word for closing a producer');
  }

  async leave(): Promise<void> {
    this.forget();
    this.line?.disconnect();
    this.line = null;
  }

  private open(): Line {
    const line = new Line(this.options.url, this.diary, { transports: beginning(this.options) });
    line.on<Announced>('newProducer', ({ producerId, producerSocketId }) =>
      this.diary.watch(this.consume(producerId, producerSocketId)));
    line.on<{ producerId: string }>('producerClosed', ({ producerId }) => this.receptions.ofProducer(producerId));
    line.on<{ peerId: string }>('peerLeft', ({ peerId }) => this.receptions.ofOwner(peerId));
    return line;
  }

  private async consume(producerId: string, owner: string): Promise<void> {
    const { rtpCapabilities } = this.device;
    const consumed = await this.ask<Consumed>('consume', { producerId, rtpCapabilities });
    const { id, kind, rtpParameters, transportId, iceParameters, iceCandidates, dtlsParameters } = consumed;
    if (!this.receiving) {
      this.receiving = this.device.createRecvTransport({ id: transportId, iceParameters, iceCandidates, dtlsParameters });
      this.connects(this.receiving);
    }
    if (this.receiving.id !== transportId) throw new Error('a consumer came on a second transport');
    this.receptions.add(await this.receiving.consume({ id, producerId, kind, rtpParameters }), owner);
  }

  /** Says it twice, as a client does that connects a transport for each of its consumers. */
  private connects(transport: types.Transport): void {
    transport.on('connect', ({ dtlsParameters }, done, failed) => {
      const connect = () => this.ask<{ connected: boolean }>('connectTransport', { transportId: transport.id, dtlsParameters });
      connect()
        .then(connect)
        .then(({ connected }) => (connected ? done() : failed(new Error('not connected'))), failed);
    });
  }

  private ask<T>(event: string, payload: object): Promise<T> {
    if (!this.line) throw new Error('not connected');
    return this.line.ask<T>(event, { roomId: this.roomId, ...payload });
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
