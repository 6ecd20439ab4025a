/**
 * Test client of the rmm dialect. Starts with long-polling. Every request names the room and is
 * acknowledged. It never resumes a consumer, and learns its receive transport from the
 * acknowledgement of the first one.
 */
import { Device, type types } from 'mediasoup-client';
import { SocketIoClient, type ConsumerParameters } from '../baseClient';
import type { Kind } from '../client';
import { SocketIoConnection, pollingFirst } from '../socketIoConnection';

interface Joined {
  rtpCapabilitiesRouter: types.RtpCapabilities;
  existingProducers: { peerId: string; producerId: string }[];
}

interface ProducerNotice {
  producerId: string;
  producerSocketId: string;
}

/** A consumer and the transport it is on. */
interface Consumed extends Omit<types.TransportOptions, 'id'>, ConsumerParameters {
  transportId: string;
}

export class DialectClient extends SocketIoClient {
  private roomId = '';
  private device = new Device();

  async join(room: string | null, displayName: string): Promise<void> {
    this.closeMedia();
    if (!this.connection) {
      this.connection = this.createConnection();
      await this.connection.connect();
      this.peerId = this.connection.id;
    }
    this.roomId = room ?? '';
    const { token } = this.options;
    const request = { displayName, rtpCapabilities: {}, ...(token !== null && { inviteToken: token }) };
    const { rtpCapabilitiesRouter, existingProducers } = await this.roomRequest<Joined>('join', request);
    this.device = new Device();
    await this.device.load({ routerRtpCapabilities: rtpCapabilitiesRouter });
    for (const { peerId, producerId } of existingProducers) this.log.watch(this.consume(producerId, peerId));
  }

  async publish(): Promise<Record<Kind, string>> {
    const first = await this.roomRequest<types.TransportOptions>('createTransport', { kind: 'send' });
    const second = await this.roomRequest<types.TransportOptions>('createTransport', { kind: 'send' });
    if (first.id !== second.id) throw new Error('a repeated request created a second send transport');
    const transport = this.addTransport('send', this.device.createSendTransport(first));
    this.connectOnDemand(transport);
    transport.on('produce', ({ kind, rtpParameters }, done, failed) => {
      const request = { transportId: transport.id, kind, rtpParameters };
      this.roomRequest<{ id: string }>('produce', request).then(done, failed);
    });
    return this.producers.publish(transport);
  }

  private createConnection(): SocketIoConnection {
    const connection = new SocketIoConnection(this.options.url, this.log, { transports: pollingFirst(this.options) });
    connection.on<ProducerNotice>('newProducer', ({ producerId, producerSocketId }) =>
      this.log.watch(this.consume(producerId, producerSocketId)));
    connection.on<{ producerId: string }>('producerClosed', ({ producerId }) => this.consumers.closeProducer(producerId));
    connection.on<{ peerId: string }>('peerLeft', ({ peerId }) => this.consumers.closeOwner(peerId));
    return connection;
  }

  private async consume(producerId: string, owner: string): Promise<void> {
    const { rtpCapabilities } = this.device;
    const consumed = await this.roomRequest<Consumed>('consume', { producerId, rtpCapabilities });
    const { id, kind, rtpParameters, transportId, iceParameters, iceCandidates, dtlsParameters } = consumed;
    if (!this.transports.has('recv')) {
      const options = { id: transportId, iceParameters, iceCandidates, dtlsParameters };
      this.connectOnDemand(this.addTransport('recv', this.device.createRecvTransport(options)));
    }
    const transport = this.transport('recv');
    if (transport.id !== transportId) throw new Error('a consumer was created on a second transport');
    this.consumers.add(await transport.consume({ id, producerId, kind, rtpParameters }), owner);
  }

  /** Sends the request twice, as clients do that connect the transport for each consumer. */
  private connectOnDemand(transport: types.Transport): void {
    transport.on('connect', ({ dtlsParameters }, done, failed) => {
      const request = { transportId: transport.id, dtlsParameters };
      const connect = () => this.roomRequest<{ connected: boolean }>('connectTransport', request);
      connect()
        .then(connect)
        .then(({ connected }) => (connected ? done() : failed(new Error('not connected'))), failed);
    });
  }

  private roomRequest<T>(event: string, payload: object): Promise<T> {
    return this.request<T>(event, { roomId: this.roomId, ...payload });
  }
}
