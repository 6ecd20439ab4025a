/**
 * Media of one participant: a transport to send and one to receive. The only file
 * that touches mediasoup-client and RTCPeerConnection. It does not decide whose
 * media is received and does not talk to the server; `TransportSignalling` does.
 */
import { Device, type types } from 'mediasoup-client';
import type { MediaStats } from './connectionQuality';
import { SCALABLE, SIMULCAST, SINGLE, fitToDemand, type Demand, type EncodingSettings } from './encodings';
import { readMediaStats } from './mediaStats';
import type {
  Consumed,
  Direction,
  DtlsParameters,
  IceParameters,
  IceServer,
  Kind,
  RtpCapabilities,
  RtpParameters,
  MediaSource,
  TransportCreated,
} from './protocol';
import type { VideoCodec } from './videoCodec';

export type { VideoCodec };

export type ConnectionState = 'new' | 'connecting' | 'connected' | 'disconnected' | 'failed' | 'closed';

/** Signalling that the transports need. */
export interface TransportSignalling {
  /** Tells the server our DTLS parameters. ICE and DTLS start meanwhile: the server takes them in any order. */
  connect(transportId: string, dtlsParameters: DtlsParameters): void;
  /** Resolves with the id that the server gave the new producer. */
  produce(transportId: string, kind: Kind, rtpParameters: RtpParameters, source: MediaSource): Promise<string>;
  onConnectionState(transportId: string, direction: Direction, state: ConnectionState): void;
}

/** A track that this participant sends. */
export interface MediaProducer {
  readonly id: string;
  pause(): void;
  resume(): void;
  replaceTrack(track: MediaStreamTrack): Promise<void>;
  /** Sends what the receivers want of a video. */
  fitToDemand(demand: Demand): Promise<void>;
  close(): void;
}

/** A track that this participant receives. */
export interface MediaConsumer {
  readonly consumerId: string;
  readonly producerId: string;
  readonly track: MediaStreamTrack;
  close(): void;
}

export interface Media {
  /** What this browser can receive from the router whose capabilities it was given. */
  readonly capabilities: RtpCapabilities;
  openTransport(created: TransportCreated, iceServers: IceServer[]): void;
  produce(source: MediaSource, track: MediaStreamTrack, codec: VideoCodec): Promise<MediaProducer>;
  consume(consumed: Consumed): Promise<MediaConsumer>;
  restartIce(transportId: string, iceParameters: IceParameters): Promise<void>;
  /** Reads the counters of all connections. */
  stats(): Promise<MediaStats>;
  close(): void;
}

export type CreateMedia = (routerCapabilities: RtpCapabilities, signalling: TransportSignalling) => Promise<Media>;

/** This browser lacks a feature that calls, or the codec that this room, needs. */
export class UnsupportedBrowser extends Error {
  override readonly name = 'UnsupportedBrowser';
}

/** A producer on its way to the server, as `appData` of mediasoup-client's. */
interface ProduceRequest {
  source: MediaSource;
  /** Id from the server. */
  id: Promise<string>;
}

/** In kbit/s. Chromium otherwise begins with 300, and needs many seconds until it sends the best encoding. */
const VIDEO: types.ProducerCodecOptions = { videoGoogleStartBitrate: 1_000 };

/** Encodings by MIME type. */
const ENCODINGS: Record<string, typeof SINGLE> = {
  'video/vp8': SIMULCAST,
  'video/h264': SIMULCAST,
  'video/vp9': SCALABLE,
  'video/av1': SCALABLE,
};

/** DTX saves most packets of a silent participant; in-band FEC repairs single losses. */
const OPUS: types.ProducerCodecOptions = { opusStereo: false, opusDtx: true, opusFec: true };

/** Returns a function that creates media and loads the device only once for the same router capabilities. */
export function mediaFactory(): CreateMedia {
  let loaded: { key: string; device: Device } | null = null;
  return async (routerCapabilities, signalling) => {
    const key = JSON.stringify(routerCapabilities);
    if (loaded?.key !== key) loaded = { key, device: await loadDevice(routerCapabilities) };
    return new MediasoupMedia(loaded.device, signalling);
  };
}

async function loadDevice(routerCapabilities: RtpCapabilities): Promise<Device> {
  const device = await Device.factory().catch(() => {
    throw new UnsupportedBrowser('This browser cannot make WebRTC calls.');
  });
  await device.load({ routerRtpCapabilities: routerCapabilities as types.RtpCapabilities });
  return device;
}

class MediasoupMedia implements Media {
  private readonly transports = new Map<Direction, types.Transport>();
  private lastProduced = 0;
  /** By track id. */
  private readonly consumerIds = new Map<string, string>();

  constructor(
    private readonly device: Device,
    private readonly signalling: TransportSignalling,
  ) {}

  get capabilities(): RtpCapabilities {
    return this.device.recvRtpCapabilities as RtpCapabilities;
  }

  openTransport(created: TransportCreated, iceServers: IceServer[]): void {
    const { transportId, direction } = created;
    const options = {
      id: transportId,
      iceParameters: created.iceParameters,
      iceCandidates: created.iceCandidates,
      dtlsParameters: created.dtlsParameters,
      iceServers,
    } as unknown as types.TransportOptions;
    const transport =
      direction === 'send' ? this.device.createSendTransport(options) : this.device.createRecvTransport(options);
    transport.on('connect', ({ dtlsParameters }, done) => {
      this.signalling.connect(transportId, dtlsParameters as DtlsParameters);
      done();
    });
    transport.on('produce', ({ kind, rtpParameters, appData }, done) => {
      const request = appData as unknown as ProduceRequest;
      request.id = this.signalling.produce(transportId, kind, rtpParameters as unknown as RtpParameters, request.source);
      // `produce` below awaits the server's id, so that the next producer need not wait for it.
      request.id.catch(() => undefined);
      this.lastProduced += 1;
      done({ id: String(this.lastProduced) });
    });
    transport.on('connectionstatechange', (state) =>
      this.signalling.onConnectionState(transportId, direction, state),
    );
    this.transports.set(direction, transport);
  }

  async produce(source: MediaSource, track: MediaStreamTrack, codec: VideoCodec): Promise<MediaProducer> {
    const video = track.kind === 'video';
    if (!this.device.canProduce(video ? 'video' : 'audio')) {
      throw new UnsupportedBrowser('This browser lacks the codec of this room.');
    }
    const { codec: videoCodec, encodings } = this.videoOptions(codec);
    const copies = encodings.map((encoding) => ({ ...encoding }));
    const request: ProduceRequest = { source, id: Promise.resolve('') };
    const producer = await this.transport('send').produce({
      track,
      ...(video ? { ...(videoCodec && { codec: videoCodec }), encodings: copies, codecOptions: VIDEO } : { codecOptions: OPUS }),
      // `Capture` owns the tracks: it shows them, and starts and stops the devices.
      stopTracks: false,
      disableTrackOnPause: false,
      appData: request as unknown as types.AppData,
    });
    const id = await request.id.catch((error: unknown) => {
      producer.close();
      throw error;
    });
    return {
      id,
      pause: () => producer.pause(),
      resume: () => producer.resume(),
      replaceTrack: (next) => producer.replaceTrack({ track: next }),
      fitToDemand: (demand) => applySettings(producer.rtpSender, fitToDemand(encodings, demand)),
      close: () => producer.close(),
    };
  }

  async consume(consumed: Consumed): Promise<MediaConsumer> {
    const consumer = await this.transport('recv').consume({
      id: consumed.consumerId,
      producerId: consumed.producerId,
      kind: consumed.kind,
      rtpParameters: consumed.rtpParameters as unknown as types.RtpParameters,
    });
    this.consumerIds.set(consumer.track.id, consumer.id);
    return {
      consumerId: consumer.id,
      producerId: consumer.producerId,
      track: consumer.track,
      close: () => {
        this.consumerIds.delete(consumer.track.id);
        consumer.close();
      },
    };
  }

  async restartIce(transportId: string, iceParameters: IceParameters): Promise<void> {
    for (const transport of this.transports.values()) {
      if (transport.id === transportId) {
        await transport.restartIce({ iceParameters: iceParameters as types.IceParameters });
      }
    }
  }

  async stats(): Promise<MediaStats> {
    const [receive, send] = await Promise.all([this.transport('recv').getStats(), this.transport('send').getStats()]);
    return readMediaStats(receive.values(), send.values(), this.consumerIds);
  }

  close(): void {
    for (const transport of this.transports.values()) transport.close();
    this.transports.clear();
  }

  private transport(direction: Direction): types.Transport {
    const transport = this.transports.get(direction);
    if (!transport) throw new Error(`no ${direction} transport`);
    return transport;
  }

  /** Returns the wanted codec when browser and router have it; otherwise mediasoup-client picks one. */
  private videoOptions(wanted: VideoCodec) {
    const codec = this.device.sendRtpCapabilities.codecs?.find(
      ({ mimeType }) => mimeType.toLowerCase() === `video/${wanted}`,
    );
    return { codec, encodings: ENCODINGS[codec?.mimeType.toLowerCase() ?? ''] ?? SINGLE };
  }
}

/** Applies settings to the encodings of a sender. */
async function applySettings(sender: RTCRtpSender | undefined, settings: EncodingSettings[]): Promise<void> {
  if (!sender) return;
  const parameters = sender.getParameters();
  parameters.encodings.forEach((encoding, index) => Object.assign(encoding, settings[index]));
  await sender.setParameters(parameters);
}
