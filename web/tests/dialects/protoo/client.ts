/**
 * The small client of the protoo dialect: requests both ways over a WebSocket of
 * that sub-protocol. Both transports are made before joining; the server asks
 * this client to take each consumer and resumes it when the answer is yes.
 */
import { Device, type types } from 'mediasoup-client';
import { Peer, WebSocketTransport } from 'protoo-client';
import type { Client, ClientOptions, Kind, Remote, Sent } from '../client';
import { Diary, Publications, Receptions } from '../media';

interface NewConsumer {
  peerId: string;
  producerId: string;
  id: string;
  kind: Kind;
  rtpParameters: types.RtpParameters;
}

interface Named {
  peerId: string;
  consumerId: string;
}

export class DialectClient implements Client {
  peerId = '';
  private readonly diary = new Diary();
  private readonly receptions = new Receptions();
  private readonly publications: Publications;
  private peer: Peer | null = null;
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
    return 'websocket';
  }

  /** The address names the room, so that entering another means another connection. */
  async join(room: string | null, displayName: string): Promise<void> {
    await this.leave();
    this.peerId = this.options.peerId;
    const peer = await this.open(room ?? '');
    this.peer = peer;
    const device = new Device();
    await device.load({ routerRtpCapabilities: await peer.request('getRouterRtpCapabilities') });
    this.sending = device.createSendTransport(await peer.request('createWebRtcTransport', wish('producing')));
    this.receiving = device.createRecvTransport(await peer.request('createWebRtcTransport', wish('consuming')));
    for (const transport of [this.sending, this.receiving]) this.connects(peer, transport);
    this.sending.on('produce', ({ kind, rtpParameters, appData }, done, failed) => {
      peer.request<{ id: string }>('produce', { transportId: this.sending?.id, kind, rtpParameters, appData }).then(done, failed);
    });
    const { rtpCapabilities } = device;
    await peer.request('join', { displayName, device: { name: 'small client' }, rtpCapabilities });
  }

  async publish(): Promise<Record<Kind, string>> {
    if (!this.sending) throw new Error('not in a room');
    return this.publications.publish(this.sending);
  }

  remotes(): Promise<Remote[]> {
    return this.receptions.remotes();
  }

  async closeProducer(sent: Sent): Promise<void> {
    await this.peer?.request('closeProducer', { producerId: this.publications.close(sent) });
  }

  async leave(): Promise<void> {
    this.diary.leave();
    this.publications.all();
    this.receptions.all();
    this.sending?.close();
    this.receiving?.close();
    this.sending = this.receiving = null;
    this.peer?.close();
    this.peer = null;
  }

  private open(room: string): Promise<Peer> {
    const query = new URLSearchParams({ roomId: room, peerId: this.peerId });
    const peer = new Peer(new WebSocketTransport(`${this.options.url.replace('http', 'ws')}/?${query}`));
    peer.on('request', ({ method, data }, accept, reject) => {
      this.diary.hear(method, data);
      if (method !== 'newConsumer') return reject(404, 'this client knows newConsumer alone');
      const taken = this.consume(data as NewConsumer);
      taken.then(() => accept(), (error: Error) => reject(500, error.message));
      this.diary.watch(taken);
    });
    peer.on('notification', ({ method, data }) => {
      this.diary.hear(method, data);
      if (method === 'consumerClosed') this.receptions.ofConsumer((data as Named).consumerId);
      if (method === 'peerClosed') this.receptions.ofOwner((data as Named).peerId);
    });
    return new Promise((resolve, reject) => {
      peer.on('open', () => resolve(peer));
      peer.on('failed', () => reject(new Error('the server cannot be reached')));
    });
  }

  private async consume({ peerId, producerId, id, kind, rtpParameters }: NewConsumer): Promise<void> {
    if (!this.receiving) throw new Error('a consumer came before its transport');
    this.receptions.add(await this.receiving.consume({ id, producerId, kind, rtpParameters }), peerId);
  }

  private connects(peer: Peer, transport: types.Transport): void {
    transport.on('connect', ({ dtlsParameters }, done, failed) => {
      peer.request('connectWebRtcTransport', { transportId: transport.id, dtlsParameters }).then(() => done(), failed);
    });
  }
}

/** The demo's way to say what a transport is for. */
function wish(use: 'producing' | 'consuming'): object {
  return { forceTcp: false, producing: use === 'producing', consuming: use === 'consuming', sctpCapabilities: undefined };
}
