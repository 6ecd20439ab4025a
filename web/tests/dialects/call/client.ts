/**
 * Test client of the call dialect, in the namespace `/call`. Starts with long-polling. Each remote
 * producer gets a receive transport of its own; connecting waits for the acknowledgement.
 * Existing producers are requested after the first own producer.
 */
import { Device, type types } from 'mediasoup-client';
import { SocketIoClient, type ConsumerParameters } from '../baseClient';
import type { Kind } from '../client';
import { simulcastEncodings } from '../media';
import { SocketIoConnection, pollingFirst } from '../socketIoConnection';

interface Consumed extends ConsumerParameters {
  serverConsumerId: string;
}

export class DialectClient extends SocketIoClient {
  /** Producers that are consumed or about to be: a producer can be both announced and listed. */
  private readonly wanted = new Set<string>();
  private roomName = '';
  private device = new Device();

  async join(room: string | null): Promise<void> {
    this.closeMedia();
    this.roomName = room ?? '';
    this.connection ??= await this.connect();
    const { rtpCapabilities } = await this.request<{ rtpCapabilities: types.RtpCapabilities }>(
      'joinRoom', { roomName: this.roomName });
    this.device = new Device();
    await this.device.load({ routerRtpCapabilities: rtpCapabilities });
  }

  async publish(): Promise<Record<Kind, string>> {
    const options = await this.createTransport({ consumer: false, roomName: this.roomName });
    const transport = this.addTransport('send', this.device.createSendTransport(options));
    transport.on('connect', ({ dtlsParameters }, done, failed) => {
      this.request('transport-connect', { dtlsParameters, transportId: transport.id }).then(() => done(), failed);
    });
    transport.on('produce', ({ kind, rtpParameters, appData }, done, failed) => {
      this.request<{ id: string; producersExist: boolean }>('transport-produce', { kind, rtpParameters, appData })
        .then(({ id, producersExist }) => {
          done({ id });
          if (producersExist) this.log.watch(this.consumeExisting());
        }, failed);
    });
    return this.producers.publish(transport, simulcastEncodings('S1T3'));
  }

  protected override closeMedia(): void {
    super.closeMedia();
    this.wanted.clear();
  }

  private async connect(): Promise<SocketIoConnection> {
    const { url, namespace } = this.options;
    const transports = pollingFirst(this.options);
    const connection = new SocketIoConnection(`${url}${namespace ?? '/call'}`, this.log, { transports });
    const greeted = new Promise<void>((resolve) => {
      connection.on<{ socketId: string }>('connection-success', ({ socketId }) => {
        this.peerId = socketId;
        resolve();
      });
    });
    connection.on<{ producerId: string }>('new-producer', ({ producerId }) => this.log.watch(this.consume(producerId)));
    connection.on<{ remoteProducerId: string }>('producer-closed', ({ remoteProducerId }) => {
      this.closeConsumedProducer(remoteProducerId);
      this.wanted.delete(remoteProducerId);
    });
    await connection.connect();
    await greeted;
    return connection;
  }

  private async consumeExisting(): Promise<void> {
    const producers = await this.request<string[]>('getProducers');
    await Promise.all(producers.map((producerId) => this.consume(producerId)));
  }

  private async consume(producerId: string): Promise<void> {
    if (this.wanted.has(producerId)) return;
    this.wanted.add(producerId);
    const transport = this.device.createRecvTransport(await this.createTransport({ consumer: true }));
    this.addTransport(producerId, transport);
    const serverConsumerTransportId = transport.id;
    transport.on('connect', ({ dtlsParameters }, done, failed) => {
      this.request('transport-recv-connect', { dtlsParameters, serverConsumerTransportId }).then(() => done(), failed);
    });
    const { rtpCapabilities } = this.device;
    const request = { rtpCapabilities, remoteProducerId: producerId, serverConsumerTransportId };
    const { params } = await this.request<{ params: Consumed }>('consume', request);
    const { id, kind, rtpParameters, serverConsumerId } = params;
    this.consumers.add(await transport.consume({ id, producerId, kind, rtpParameters }));
    this.connection?.emit('consumer-resume', { serverConsumerId });
  }

  private async createTransport(request: object): Promise<types.TransportOptions> {
    const { params } = await this.request<{ params: types.TransportOptions }>('createWebRtcTransport', request);
    return params;
  }
}
