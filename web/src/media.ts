/**
 * Media of one participant: a transport to send and one to receive. The only file
 * that touches mediasoup-client and RTCPeerConnection. It does not decide whose
 * media is received and does not talk to the server; `TransportSignalling` does.
 */
import { Device, type types } from 'mediasoup-client';
import type { MediaStats } from './connectionQuality';
import {
  SINGLE,
  fitToDemand,
  scalableEncodings,
  simulcastEncodings,
  type Content,
  type Demand,
  type Encoding,
  type EncodingSettings,
} from './encodings';
import { readMediaStats, type Report, type StatsReports } from './mediaStats';
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
import type { Size } from './tileLayout';
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

/** A track to be sent. */
export interface SentTrack {
  source: MediaSource;
  track: MediaStreamTrack;
  /** What a video shows; of no importance for sound. */
  content: Content;
}

/** A track that this participant sends. */
export interface MediaProducer {
  readonly id: string;
  pause(): void;
  resume(): void;
  /** Whether a track can be sent with the encodings that were negotiated. */
  canSend(sent: SentTrack): boolean;
  replaceTrack(sent: SentTrack): Promise<void>;
  /** Sends a screen as one with other content. */
  setContent(content: Content): Promise<void>;
  /** Sends what the receivers want of a video. */
  fitToDemand(demand: Demand): Promise<void>;
  close(): void;
}

/** A track that this participant receives. */
export interface MediaConsumer {
  readonly consumerId: string;
  readonly producerId: string;
  readonly track: MediaStreamTrack;
  /** Number of spatial layers; 1 for sound. */
  readonly layers: number;
  close(): void;
}

export interface Media {
  /** What this browser can receive from the router whose capabilities it was given. */
  readonly capabilities: RtpCapabilities;
  openTransport(created: TransportCreated, iceServers: IceServer[]): void;
  produce(sent: SentTrack, codec: VideoCodec): Promise<MediaProducer>;
  consume(consumed: Consumed): Promise<MediaConsumer>;
  restartIce(transportId: string, iceParameters: IceParameters): Promise<void>;
  /** Reads the counters of all connections. */
  stats(): Promise<MediaStats>;
  /** Reads all that the browser reports of both transports. */
  reports(): Promise<StatsReports>;
  /** What each track shows that is sent, by the MID under which it is sent. */
  readonly sentSources: ReadonlyMap<string, MediaSource>;
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

/** Returns the encodings of a video, by MIME type. */
const ENCODINGS: Record<string, typeof simulcastEncodings> = {
  'video/vp8': simulcastEncodings,
  'video/h264': simulcastEncodings,
  'video/vp9': scalableEncodings,
  'video/av1': scalableEncodings,
};

/** Demand for all layers, however many there are. */
const WHOLE: Demand = { spatialLayer: Number.MAX_SAFE_INTEGER };

/** DTX saves most packets of a silent participant; in-band FEC repairs single losses. */
const VOICE: types.ProducerCodecOptions = { opusStereo: false, opusDtx: true, opusFec: true };
/** The sound of a screen may be music. */
const MUSIC: types.ProducerCodecOptions = { opusStereo: true, opusDtx: false, opusFec: true };

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
  readonly sentSources = new Map<string, MediaSource>();

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
      // Firefox stays at `new` while it has no candidates to try.
      this.signalling.onConnectionState(transportId, direction, 'connecting');
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

  async produce(sent: SentTrack, codec: VideoCodec): Promise<MediaProducer> {
    const { source, track } = sent;
    const video = track.kind === 'video';
    if (!this.device.canProduce(video ? 'video' : 'audio')) {
      throw new UnsupportedBrowser('This browser lacks the codec of this room.');
    }
    const videoCodec = this.codecCapability(codec);
    const encodingsOf = ENCODINGS[videoCodec?.mimeType.toLowerCase() ?? ''] ?? (() => SINGLE);
    const encodings = encodingsOf(sent.content, sizeOf(track));
    const copies = encodings.map((encoding) => ({ ...encoding }));
    const request: ProduceRequest = { source, id: Promise.resolve('') };
    const producer = await this.transport('send').produce({
      track,
      ...(video
        ? { ...(videoCodec && { codec: videoCodec }), encodings: copies, codecOptions: VIDEO }
        : { codecOptions: source === 'screen-audio' ? MUSIC : VOICE }),
      // `Capture` owns the tracks: it shows them, and starts and stops the devices.
      stopTracks: false,
      disableTrackOnPause: false,
      appData: request as unknown as types.AppData,
    });
    this.sentSources.set(producer.localId, source);
    const id = await request.id.catch((error: unknown) => {
      producer.close();
      throw error;
    });
    return new MediasoupProducer(id, producer, encodings, encodingsOf);
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
      layers: spatialLayersOf(consumer.rtpParameters),
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
    return readMediaStats(await this.reports(), this.consumerIds);
  }

  async reports(): Promise<StatsReports> {
    const reportsOf = async (direction: Direction): Promise<Report[]> => [...(await this.transport(direction).getStats()).values()];
    const [receive, send] = await Promise.all([reportsOf('recv'), reportsOf('send')]);
    return { receive, send };
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
  private codecCapability(wanted: VideoCodec) {
    return this.device.sendRtpCapabilities.codecs?.find(({ mimeType }) => mimeType.toLowerCase() === `video/${wanted}`);
  }
}

/** A track that is sent through a producer of mediasoup-client. */
class MediasoupProducer implements MediaProducer {
  private demand: Demand | null = null;

  constructor(
    readonly id: string,
    private readonly producer: types.Producer,
    private encodings: readonly Encoding[],
    private readonly encodingsOf: typeof simulcastEncodings,
  ) {}

  pause(): void {
    this.producer.pause();
  }

  resume(): void {
    this.producer.resume();
  }

  canSend({ track, content }: SentTrack): boolean {
    if (track.kind !== 'video') return true;
    const shape = (encodings: readonly Encoding[]) => encodings.map((it) => [it.scaleResolutionDownBy, it.scalabilityMode]).join(' ');
    return shape(this.encodingsOf(content, sizeOf(track))) === shape(this.encodings);
  }

  async replaceTrack({ track, content }: SentTrack): Promise<void> {
    await this.producer.replaceTrack({ track });
    // A picture of another size has other bitrates.
    if (track.kind === 'video') await this.setContent(content);
  }

  async setContent(content: Content): Promise<void> {
    const { track } = this.producer;
    this.encodings = this.encodingsOf(content, track ? sizeOf(track) : undefined);
    await this.fitToDemand(this.demand ?? WHOLE);
  }

  async fitToDemand(demand: Demand): Promise<void> {
    this.demand = demand;
    await applySettings(this.producer.rtpSender, fitToDemand(this.encodings, demand));
  }

  close(): void {
    this.producer.close();
  }
}

/** Returns the size of the pictures of a track; undefined for sound, and where the browser does not tell it. */
function sizeOf(track: MediaStreamTrack): Size | undefined {
  const { width, height } = track.getSettings();
  return width && height ? { width, height } : undefined;
}

/** Returns the number of spatial layers of what is received, which its scalability mode states, as in `L3T3`. */
function spatialLayersOf({ encodings }: types.RtpParameters): number {
  return Number(/^[LS](\d)/.exec(encodings?.[0]?.scalabilityMode ?? '')?.[1] ?? 1);
}

/** Applies settings to the encodings of a sender. */
async function applySettings(sender: RTCRtpSender | undefined, settings: EncodingSettings[]): Promise<void> {
  if (!sender) return;
  const parameters = sender.getParameters();
  parameters.encodings.forEach((encoding, index) => Object.assign(encoding, settings[index]));
  await sender.setParameters(parameters);
}
