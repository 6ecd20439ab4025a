/**
 * The small client of the call dialect, in the namespace `/call`. It starts on
 * long-polling. Every remote producer gets a receive transport of its own; both
 * ways of connecting wait for the acknowledgement. Who was there before is asked
 * for after the first producer.
 */
import { Device, type types } from 'mediasoup-client';
import type { Client, ClientOptions, Kind, Remote } from '../client';
import { Diary, Publications, Receptions, simulcast } from '../media';
import { Line, beginning } from '../socketIoConnection';

interface Consumed {
  id: string;
  producerId: string;
  kind: Kind;
  rtpParameters: types.RtpParameters;
  serverConsumerId: string;
}

export class DialectClient implements Client {
  peerId = '';
  private readonly diary = new Diary();
  private readonly receptions = new Receptions();
  private readonly publications: Publications;
  private readonly transports = new Map<string, types.Transport>();
  /** Producers that are received or about to be: they are announced and listed both. */
  private readonly wanted = new Set<string>();
  private line: Line | null = null;
  private roomName = '';
  private device = new Device();

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
    this.roomName = room ?? '';
    this.line ??= await this.open();
    const { rtpCapabilities } = await this.line.ask<{ rtpCapabilities: types.RtpCapabilities }>(
      'joinRoom', { roomName: this.roomName });
    this.device = new Device();
    await this.device.load({ routerRtpCapabilities: rtpCapabilities });
  }

  async publish(): Promise<Record<Kind, string>> {
    const transport = this.device.createSendTransport(await this.create({ consumer: false, roomName: this.roomName }));
    this.transports.set('send', transport);
    transport.on('connect', ({ dtlsParameters }, done, failed) => {
      this.ask('transport-connect', { dtlsParameters, transportId: transport.id }).then(() => done(), failed);
    });
    transport.on('produce', ({ kind, rtpParameters, appData }, done, failed) => {
      this.ask<{ id: string; producersExist: boolean }>('transport-produce', { kind, rtpParameters, appData })
        .then(({ id, producersExist }) => {
          done({ id });
          if (producersExist) this.diary.watch(this.catchUp());
        }, failed);
    });
    return this.publications.publish(transport, simulcast('S1T3'));
  }

  remotes(): Promise<Remote[]> {
    return this.receptions.remotes();
  }

  async closeProducer(): Promise<void> {
    throw new Error('the call dialect has no word for closing a producer');
  }

  async leave(): Promise<void> {
    this.forget();
    this.line?.disconnect();
    this.line = null;
  }

  private async open(): Promise<Line> {
    const { url, namespace } = this.options;
    const line = new Line(`${url}${namespace ?? '/call'}`, this.diary, { transports: beginning(this.options) });
    const greeted = new Promise<void>((resolve) => {
      line.on<{ socketId: string }>('connection-success', ({ socketId }) => {
        this.peerId = socketId;
        resolve();
      });
    });
    line.on<{ producerId: string }>('new-producer', ({ producerId }) => this.diary.watch(this.consume(producerId)));
    line.on<{ remoteProducerId: string }>('producer-closed', ({ remoteProducerId }) => this.drop(remoteProducerId));
    await line.connect();
    await greeted;
    return line;
  }

  private async catchUp(): Promise<void> {
    const producers = await this.ask<string[]>('getProducers');
    await Promise.all(producers.map((producerId) => this.consume(producerId)));
  }

  private async consume(producerId: string): Promise<void> {
    if (this.wanted.has(producerId)) return;
    this.wanted.add(producerId);
    const transport = this.device.createRecvTransport(await this.create({ consumer: true }));
    this.transports.set(producerId, transport);
    const serverConsumerTransportId = transport.id;
    transport.on('connect', ({ dtlsParameters }, done, failed) => {
      this.ask('transport-recv-connect', { dtlsParameters, serverConsumerTransportId }).then(() => done(), failed);
    });
    const { rtpCapabilities } = this.device;
    const request = { rtpCapabilities, remoteProducerId: producerId, serverConsumerTransportId };
    const { params } = await this.ask<{ params: Consumed }>('consume', request);
    const { id, kind, rtpParameters, serverConsumerId } = params;
    this.receptions.add(await transport.consume({ id, producerId, kind, rtpParameters }));
    this.line?.emit('consumer-resume', { serverConsumerId });
  }

  private async create(wish: object): Promise<types.TransportOptions> {
    const { params } = await this.ask<{ params: types.TransportOptions }>('createWebRtcTransport', wish);
    return params;
  }

  private drop(producerId: string): void {
    this.receptions.ofProducer(producerId);
    this.transports.get(producerId)?.close();
    this.transports.delete(producerId);
    this.wanted.delete(producerId);
  }

  private ask<T>(event: string, ...payload: object[]): Promise<T> {
    if (!this.line) throw new Error('not connected');
    return this.line.ask<T>(event, ...payload);
  }

  private forget(): void {
    this.diary.leave();
    this.publications.all();
    this.receptions.all();
    for (const transport of this.transports.values()) transport.close();
    this.transports.clear();
    this.wanted.clear();
  }
}
