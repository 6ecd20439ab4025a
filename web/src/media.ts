/**
 * One participant's media pipes: a transport to send, one to receive. The only
 * file that touches mediasoup-client and RTCPeerConnection. It never decides
 * who is heard or seen, and never speaks to the server itself: what the server
 * must know goes through `Wire`.
 */
import { Device, type types } from 'mediasoup-client';
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

export type PipeState = 'new' | 'connecting' | 'connected' | 'disconnected' | 'failed' | 'closed';

/** What the pipes need to tell the server, and whom to tell how they are. */
export interface Wire {
  connect(transportId: string, dtlsParameters: DtlsParameters): Promise<void>;
  /** Resolves with the id the server gave the new producer. */
  produce(transportId: string, kind: Kind, rtpParameters: RtpParameters, source: MediaSource): Promise<string>;
  state(transportId: string, direction: Direction, state: PipeState): void;
}

/** Something this participant sends. */
export interface Publication {
  readonly id: string;
  pause(): void;
  resume(): void;
  replace(track: MediaStreamTrack): Promise<void>;
  close(): void;
}

/** Something this participant receives. */
export interface Reception {
  readonly consumerId: string;
  readonly producerId: string;
  readonly track: MediaStreamTrack;
  /** Loudness now, 0 to 1; 0 for video. */
  level(): number;
  close(): void;
}

export interface Media {
  /** What this browser can receive from the router whose capabilities it was given. */
  readonly capabilities: RtpCapabilities;
  open(created: TransportCreated, iceServers: IceServer[]): void;
  publish(source: MediaSource, track: MediaStreamTrack, codec: VideoCodec): Promise<Publication>;
  receive(consumed: Consumed): Promise<Reception>;
  restartIce(transportId: string, iceParameters: IceParameters): Promise<void>;
  close(): void;
}

export type OpenMedia = (routerCapabilities: RtpCapabilities, wire: Wire) => Promise<Media>;

export type VideoCodec = 'vp8' | 'vp9' | 'h264';

/** This browser cannot do what a call, or this room, needs. */
export class Unsupported extends Error {
  override readonly name = 'Unsupported';
}

/**
 * Three pictures of one camera, each half the width of the next, so that every
 * viewer can be sent the one that fits. Bitrates are ceilings; at 1280×720 the
 * top one is where VP8 stops looking better.
 */
const SIMULCAST: types.RtpEncodingParameters[] = [
  { scaleResolutionDownBy: 4, maxBitrate: 150_000, scalabilityMode: 'L1T3' },
  { scaleResolutionDownBy: 2, maxBitrate: 500_000, scalabilityMode: 'L1T3' },
  { scaleResolutionDownBy: 1, maxBitrate: 1_700_000, scalabilityMode: 'L1T3' },
];

const SINGLE: types.RtpEncodingParameters[] = [{ maxBitrate: 1_500_000 }];

/** Discontinuous speech saves most of a quiet room's packets; in-band FEC repairs single losses. */
const OPUS: types.ProducerCodecOptions = { opusStereo: false, opusDtx: true, opusFec: true };

export const openMedia: OpenMedia = async (routerCapabilities, wire) => {
  const device = await Device.factory().catch(() => {
    throw new Unsupported('This browser cannot make WebRTC calls.');
  });
  await device.load({ routerRtpCapabilities: routerCapabilities as types.RtpCapabilities });
  return new Pipes(device, wire);
};

class Pipes implements Media {
  private readonly transports = new Map<Direction, types.Transport>();

  constructor(
    private readonly device: Device,
    private readonly wire: Wire,
  ) {}

  get capabilities(): RtpCapabilities {
    return this.device.recvRtpCapabilities as RtpCapabilities;
  }

  open(created: TransportCreated, iceServers: IceServer[]): void {
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
    transport.on('connect', ({ dtlsParameters }, done, failed) => {
      this.wire.connect(transportId, dtlsParameters as DtlsParameters).then(done, failed);
    });
    transport.on('produce', ({ kind, rtpParameters, appData }, done, failed) => {
      this.wire
        .produce(transportId, kind, rtpParameters as unknown as RtpParameters, appData.source as MediaSource)
        .then((id) => done({ id }), failed);
    });
    transport.on('connectionstatechange', (state) => this.wire.state(transportId, direction, state));
    this.transports.set(direction, transport);
  }

  async publish(source: MediaSource, track: MediaStreamTrack, codec: VideoCodec): Promise<Publication> {
    const video = track.kind === 'video';
    if (!this.device.canProduce(video ? 'video' : 'audio')) {
      throw new Unsupported('This browser lacks the codec of this room.');
    }
    const producer = await this.transport('send').produce({
      track,
      ...(video ? this.videoOptions(codec) : { codecOptions: OPUS }),
      // Capture owns the tracks: it shows them and starts and stops the devices.
      stopTracks: false,
      disableTrackOnPause: false,
      appData: { source },
    });
    return {
      id: producer.id,
      pause: () => producer.pause(),
      resume: () => producer.resume(),
      replace: (next) => producer.replaceTrack({ track: next }),
      close: () => producer.close(),
    };
  }

  async receive(consumed: Consumed): Promise<Reception> {
    const consumer = await this.transport('recv').consume({
      id: consumed.consumerId,
      producerId: consumed.producerId,
      kind: consumed.kind,
      rtpParameters: consumed.rtpParameters as unknown as types.RtpParameters,
    });
    return {
      consumerId: consumer.id,
      producerId: consumer.producerId,
      track: consumer.track,
      level: () => consumer.rtpReceiver?.getSynchronizationSources()[0]?.audioLevel ?? 0,
      close: () => consumer.close(),
    };
  }

  async restartIce(transportId: string, iceParameters: IceParameters): Promise<void> {
    for (const transport of this.transports.values()) {
      if (transport.id === transportId) {
        await transport.restartIce({ iceParameters: iceParameters as types.IceParameters });
      }
    }
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

  /** The wanted codec when both sides have it, otherwise whatever they agree on. */
  private videoOptions(wanted: VideoCodec): Pick<types.ProducerOptions, 'codec' | 'encodings'> {
    const codec = this.device.sendRtpCapabilities.codecs?.find(
      ({ mimeType }) => mimeType.toLowerCase() === `video/${wanted}`,
    );
    const simulcast = codec?.mimeType.toLowerCase() === 'video/vp8';
    const encodings = (simulcast ? SIMULCAST : SINGLE).map((encoding) => ({ ...encoding }));
    return codec ? { codec, encodings } : { encodings };
  }
}
