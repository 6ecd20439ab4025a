/**
 * Test client of the protoo dialect: requests in both directions over a WebSocket with that
 * sub-protocol. Both transports are created before joining. The server requests that this client
 * takes each consumer, and resumes it when the client accepts.
 */
import { Device, type types } from 'mediasoup-client';
import { Peer, WebSocketTransport } from 'protoo-client';
import { BaseClient, type ConsumerParameters } from '../baseClient';
import type { Kind, ProducerSource } from '../client';

interface NewConsumer extends ConsumerParameters {
  peerId: string;
}

interface Notification {
  peerId: string;
  consumerId: string;
}

export class DialectClient extends BaseClient {
  private peer: Peer | null = null;

  /** The URL names the room, so that joining another room opens another connection. */
  async join(room: string | null, displayName: string): Promise<void> {
    await this.leave();
    this.peerId = this.options.peerId;
    const peer = await this.connect(room ?? '');
    this.peer = peer;
    const device = new Device();
    await device.load({ routerRtpCapabilities: await peer.request('getRouterRtpCapabilities') });
    const create = (purpose: 'producing' | 'consuming') =>
      peer.request<types.TransportOptions>('createWebRtcTransport', transportRequest(purpose));
    const send = this.addTransport('send', device.createSendTransport(await create('producing')));
    const recv = this.addTransport('recv', device.createRecvTransport(await create('consuming')));
    for (const transport of [send, recv]) this.connectOnDemand(peer, transport);
    send.on('produce', ({ kind, rtpParameters, appData }, done, failed) => {
      peer.request<{ id: string }>('produce', { transportId: send.id, kind, rtpParameters, appData }).then(done, failed);
    });
    const { rtpCapabilities } = device;
    await peer.request('join', { displayName, device: { name: 'test client' }, rtpCapabilities });
  }

  async publish(): Promise<Record<Kind, string>> {
    return this.producers.publish(this.transport('send'));
  }

  override async closeProducer(source: ProducerSource): Promise<void> {
    await this.peer?.request('closeProducer', { producerId: this.producers.close(source) });
  }

  async leave(): Promise<void> {
    this.closeMedia();
    this.peer?.close();
    this.peer = null;
  }

  private connect(room: string): Promise<Peer> {
    const query = new URLSearchParams({ roomId: room, peerId: this.peerId });
    const peer = new Peer(new WebSocketTransport(`${this.options.url.replace('http', 'ws')}/?${query}`));
    peer.on('request', ({ method, data }, accept, reject) => {
      this.log.record(method, data);
      if (method !== 'newConsumer') return reject(404, 'only newConsumer is supported');
      const consumed = this.consume(data as NewConsumer);
      consumed.then(() => accept(), (error: Error) => reject(500, error.message));
      this.log.watch(consumed);
    });
    peer.on('notification', ({ method, data }) => {
      this.log.record(method, data);
      if (method === 'consumerClosed') this.consumers.closeConsumer((data as Notification).consumerId);
      if (method === 'peerClosed') this.consumers.closeOwner((data as Notification).peerId);
    });
    return new Promise((resolve, reject) => {
      peer.on('open', () => resolve(peer));
      peer.on('failed', () => reject(new Error('the server cannot be reached')));
    });
  }

  private async consume({ peerId, producerId, id, kind, rtpParameters }: NewConsumer): Promise<void> {
    this.consumers.add(await this.transport('recv').consume({ id, producerId, kind, rtpParameters }), peerId);
  }

  private connectOnDemand(peer: Peer, transport: types.Transport): void {
    transport.on('connect', ({ dtlsParameters }, done, failed) => {
      peer.request('connectWebRtcTransport', { transportId: transport.id, dtlsParameters }).then(() => done(), failed);
    });
  }
}

/** States the purpose of a transport in the way of the mediasoup demo. */
function transportRequest(purpose: 'producing' | 'consuming'): object {
  const producing = purpose === 'producing';
  return { forceTcp: false, producing, consuming: !producing, sctpCapabilities: undefined };
}
