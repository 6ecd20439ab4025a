/**
 * The small client of the sfu dialect. Its address may name a room; it asks for
 * capabilities and is there. Every remote producer gets a receive transport of its own, on which it
 * consumes before the transport is connected. Connecting is told, not asked.
 */
import { Device, type types } from 'mediasoup-client';
import type { Client, ClientOptions, Kind, Remote } from '../client';
import { Diary, Publications, Receptions, simulcast } from '../media';
import { Line } from '../socketIoConnection';

interface Consumed {
  id: string;
  producerId: string;
  kind: Kind;
  rtpParameters: types.RtpParameters;
}

export class DialectClient implements Client {
  peerId = '';
  private readonly diary = new Diary();
  private readonly receptions = new Receptions();
  private readonly publications: Publications;
  private readonly transports = new Map<string, types.Transport>();
  private line: Line | null = null;
  private ready: Promise<Device> | null = null;

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
    this.line?.disconnect();
    this.line ??= this.open();
    this.line.query = room === null ? {} : { room };
    await this.line.connect();
    this.peerId = this.line.id;
    this.ready = this.load(this.line);
    await this.ready;
  }

  async publish(): Promise<Record<Kind, string>> {
    const { device, line } = await this.inRoom();
    const { params } = await line.ask<{ params: types.TransportOptions }>('createWebRtcTransport', { sender: true });
    const transport = device.createSendTransport(params);
    this.transports.set('send', transport);
    transport.on('connect', ({ dtlsParameters }, done) => {
      line.emit('transport-connect', { dtlsParameters });
      done();
    });
    transport.on('produce', ({ kind, rtpParameters, appData }, done, failed) => {
      line.ask<{ id: string }>('transport-produce', { kind, rtpParameters, appData }).then(done, failed);
    });
    return this.publications.publish(transport, simulcast('L1T3'));
  }

  remotes(): Promise<Remote[]> {
    return this.receptions.remotes();
  }

  async closeProducer(): Promise<void> {
    throw new Error('the sfu dialect has no word for closing a producer');
  }

  async leave(): Promise<void> {
    this.forget();
    this.line?.disconnect();
  }

  private open(): Line {
    const line = new Line(`${this.options.url}${this.options.namespace ?? '/'}`, this.diary, { transports: ['websocket'] });
    line.on<{ producerId: string }>('new-producer', ({ producerId }) => this.diary.watch(this.consume(producerId)));
    line.on<{ producerId: string }>('delete-producer', ({ producerId }) => this.drop(producerId));
    return line;
  }

  private async load(line: Line): Promise<Device> {
    const { rtpCapabilities } = await line.ask<{ rtpCapabilities: types.RtpCapabilities }>('getRtpCapabilities');
    const device = new Device();
    await device.load({ routerRtpCapabilities: rtpCapabilities });
    return device;
  }

  private async consume(producerId: string): Promise<void> {
    const { device, line } = await this.inRoom();
    const { params } = await line.ask<{ params: types.TransportOptions }>(
      'createWebRtcTransport', { sender: false, producerId });
    const transport = device.createRecvTransport(params);
    this.transports.set(producerId, transport);
    transport.on('connect', ({ dtlsParameters }, done) => {
      line.emit('transport-recv-connect', { dtlsParameters, producerId });
      done();
    });
    const { rtpCapabilities } = device;
    const { params: consumed } = await line.ask<{ params: Consumed }>(
      'consume', { rtpCapabilities, producerId, transportId: transport.id });
    this.receptions.add(await transport.consume(consumed));
    line.emit('consumer-resume', { consumerId: consumed.id });
  }

  private drop(producerId: string): void {
    this.receptions.ofProducer(producerId);
    this.transports.get(producerId)?.close();
    this.transports.delete(producerId);
  }

  private async inRoom(): Promise<{ device: Device; line: Line }> {
    if (!this.line || !this.ready) throw new Error('not in a room');
    return { device: await this.ready, line: this.line };
  }

  private forget(): void {
    this.diary.leave();
    this.publications.all();
    this.receptions.all();
    for (const transport of this.transports.values()) transport.close();
    this.transports.clear();
    this.ready = null;
  }
}
