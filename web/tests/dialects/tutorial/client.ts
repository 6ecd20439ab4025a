/**
 * Test client of the first two parts of the tutorial, in the namespace `/mediasoup`. It has one
 * transport each way and sends one camera. What it receives is the server's choice: it names no
 * producer. Connecting and resuming are not acknowledged.
 */
import { Device, type types } from 'mediasoup-client';
import { SocketIoClient, type ConsumerParameters } from '../baseClient';
import type { Kind } from '../client';
import { SocketIoConnection } from '../socketIoConnection';

export class DialectClient extends SocketIoClient {
  private device: Device | null = null;

  async join(): Promise<void> {
    this.closeMedia();
    this.connection ??= new SocketIoConnection(`${this.options.url}/mediasoup`, this.log, {});
    await this.connection.connect();
    this.peerId = this.connection.id;
    const event = this.options.firstEvent ?? 'createRoom';
    const { rtpCapabilities } = await this.request<{ rtpCapabilities: types.RtpCapabilities }>(event);
    this.device = new Device();
    await this.device.load({ routerRtpCapabilities: rtpCapabilities });
  }

  /** Sends the camera only. */
  async publish(): Promise<Record<Kind, string>> {
    const device = this.loadedDevice();
    const transport = this.addTransport('send', device.createSendTransport(await this.createTransport(true)));
    transport.on('connect', ({ dtlsParameters }, done) => {
      this.connection?.emit('transport-connect', { dtlsParameters });
      done();
    });
    transport.on('produce', ({ kind, rtpParameters, appData }, done, failed) => {
      this.request<{ id: string }>('transport-produce', { kind, rtpParameters, appData }).then(done, failed);
    });
    return { audio: '', video: await this.producers.publishCamera(transport) };
  }

  async receive(): Promise<string> {
    const device = this.loadedDevice();
    this.consumers.closeAll();
    const transport = device.createRecvTransport(await this.createTransport(false));
    this.addTransport('recv', transport);
    transport.on('connect', ({ dtlsParameters }, done) => {
      this.connection?.emit('transport-recv-connect', { dtlsParameters });
      done();
    });
    const { rtpCapabilities } = device;
    const { params } = await this.request<{ params: ConsumerParameters }>('consume', { rtpCapabilities });
    const { id, producerId, kind, rtpParameters } = params;
    this.consumers.add(await transport.consume({ id, producerId, kind, rtpParameters }));
    this.connection?.emit('consumer-resume');
    return producerId;
  }

  private async createTransport(sender: boolean): Promise<types.TransportOptions> {
    const { params } = await this.request<{ params: types.TransportOptions }>('createWebRtcTransport', { sender });
    return params;
  }

  private loadedDevice(): Device {
    if (!this.device) throw new Error('not connected');
    return this.device;
  }
}
