/**
 * Test client of the sfu dialect. The URL may name a room; asking for the router's capabilities
 * joins it. Each remote producer gets a receive transport of its own, on which it is consumed
 * before the transport connects. Connecting is not acknowledged.
 */
import { Device, type types } from 'mediasoup-client';
import { SocketIoClient, type ConsumerParameters } from '../baseClient';
import type { Kind } from '../client';
import { simulcastEncodings } from '../media';
import { SocketIoConnection } from '../socketIoConnection';

export class DialectClient extends SocketIoClient {
  private device: Promise<Device> | null = null;

  async join(room: string | null): Promise<void> {
    this.closeMedia();
    this.device = null;
    this.connection?.disconnect();
    this.connection ??= this.createConnection();
    this.connection.query = room === null ? {} : { room };
    await this.connection.connect();
    this.peerId = this.connection.id;
    this.device = this.loadDevice();
    await this.device;
  }

  async publish(): Promise<Record<Kind, string>> {
    const device = await this.loadedDevice();
    const transport = device.createSendTransport(await this.createTransport({ sender: true }));
    this.addTransport('send', transport);
    transport.on('connect', ({ dtlsParameters }, done) => {
      this.connection?.emit('transport-connect', { dtlsParameters });
      done();
    });
    transport.on('produce', ({ kind, rtpParameters, appData }, done, failed) => {
      this.request<{ id: string }>('transport-produce', { kind, rtpParameters, appData }).then(done, failed);
    });
    return this.producers.publish(transport, simulcastEncodings('L1T3'));
  }

  /** Keeps the connection object: the next join connects it again. */
  override async leave(): Promise<void> {
    this.closeMedia();
    this.device = null;
    this.connection?.disconnect();
  }

  private createConnection(): SocketIoConnection {
    const { url, namespace } = this.options;
    const connection = new SocketIoConnection(`${url}${namespace ?? '/'}`, this.log, { transports: ['websocket'] });
    connection.on<{ producerId: string }>('new-producer', ({ producerId }) => this.log.watch(this.consume(producerId)));
    connection.on<{ producerId: string }>('delete-producer', ({ producerId }) => this.closeConsumedProducer(producerId));
    return connection;
  }

  private async loadDevice(): Promise<Device> {
    const { rtpCapabilities } = await this.request<{ rtpCapabilities: types.RtpCapabilities }>('getRtpCapabilities');
    const device = new Device();
    await device.load({ routerRtpCapabilities: rtpCapabilities });
    return device;
  }

  private async createTransport(request: object): Promise<types.TransportOptions> {
    const { params } = await this.request<{ params: types.TransportOptions }>('createWebRtcTransport', request);
    return params;
  }

  private async consume(producerId: string): Promise<void> {
    const device = await this.loadedDevice();
    const transport = device.createRecvTransport(await this.createTransport({ sender: false, producerId }));
    this.addTransport(producerId, transport);
    transport.on('connect', ({ dtlsParameters }, done) => {
      this.connection?.emit('transport-recv-connect', { dtlsParameters, producerId });
      done();
    });
    const { rtpCapabilities } = device;
    const { params } = await this.request<{ params: ConsumerParameters }>(
      'consume', { rtpCapabilities, producerId, transportId: transport.id });
    this.consumers.add(await transport.consume(params));
    this.connection?.emit('consumer-resume', { consumerId: params.id });
  }

  private async loadedDevice(): Promise<Device> {
    if (!this.device) throw new Error('not in a room');
    return this.device;
  }
}
