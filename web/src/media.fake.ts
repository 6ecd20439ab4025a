/** Fake media for tests: records calls, needs no browser. Tracks have an id and nothing else. */
import type { MediaStats } from './connectionQuality';
import type { Content, Demand } from './encodings';
import type {
  ConnectionState,
  CreateMedia,
  Media,
  MediaConsumer,
  MediaProducer,
  SentTrack,
  TransportSignalling,
  VideoCodec,
} from './media';
import type { StatsReports } from './mediaStats';
import type { Consumed, Direction, MediaSource, TransportCreated } from './protocol';

interface FakeProducer extends MediaProducer {
  source: MediaSource;
  codec: VideoCodec;
  paused: boolean;
  closed: boolean;
  demands: Demand[];
  /** Contents with which it was sent, oldest first. */
  contents: Content[];
}

export class FakeMedia implements Media {
  /** Every instance that `create` made, oldest first. */
  static all: FakeMedia[] = [];
  static readonly create: CreateMedia = async (_capabilities, signalling) => {
    const media = new FakeMedia(signalling);
    FakeMedia.all.push(media);
    return media;
  };

  readonly capabilities = { codecs: [] };
  readonly transports = new Map<Direction, string>();
  readonly producers: FakeProducer[] = [];
  readonly consumers: (MediaConsumer & { closed: boolean })[] = [];
  /** Ids of transports whose ICE was restarted. */
  readonly iceRestarts: string[] = [];
  /** Spatial layers of the videos that are consumed. */
  layers = 3;
  /** Whether tracks can replace those that are sent. */
  canReplaceTracks = true;
  closed = false;
  /** What `stats` returns. */
  currentStats: MediaStats = {
    inbound: new Map(),
    outbound: { packetsSent: 0, packetsLost: 0 },
    receivePath: {},
    sendPath: {},
  };

  /** Results of `reports`, one after the other; the last one again and again. */
  reportsInOrder: StatsReports[] = [{ receive: [], send: [] }];

  readonly sentSources = new Map<string, MediaSource>();

  private constructor(private readonly signalling: TransportSignalling) {}

  openTransport({ transportId, direction }: TransportCreated): void {
    this.transports.set(direction, transportId);
  }

  /** Connects a transport, as its first producer or consumer does in a browser. */
  connect(direction: Direction): void {
    this.signalling.connect(this.transports.get(direction) ?? '', {});
  }

  async produce({ source, track, content }: SentTrack, codec: VideoCodec): Promise<MediaProducer> {
    const kind = source === 'camera' || source === 'screen' ? 'video' : 'audio';
    const id = await this.signalling.produce(this.transports.get('send') ?? '', kind, { track: track.id }, source);
    const producer: FakeProducer = {
      id,
      source,
      codec,
      paused: false,
      closed: false,
      demands: [],
      contents: [content],
      pause: () => void (producer.paused = true),
      resume: () => void (producer.paused = false),
      canSend: () => this.canReplaceTracks,
      replaceTrack: async () => undefined,
      setContent: async (next) => void producer.contents.push(next),
      fitToDemand: async (demand) => void producer.demands.push(demand),
      close: () => void (producer.closed = true),
    };
    this.producers.push(producer);
    return producer;
  }

  async consume({ consumerId, producerId }: Consumed): Promise<MediaConsumer> {
    const consumer = {
      consumerId,
      producerId,
      track: fakeTrack(`track of ${producerId}`),
      layers: producerId.includes('voice') ? 1 : this.layers,
      closed: false,
      close: () => void (consumer.closed = true),
    };
    this.consumers.push(consumer);
    return consumer;
  }

  async restartIce(transportId: string): Promise<void> {
    this.iceRestarts.push(transportId);
  }

  async stats(): Promise<MediaStats> {
    return this.currentStats;
  }

  async reports(): Promise<StatsReports> {
    const [next = { receive: [], send: [] }, ...later] = this.reportsInOrder;
    if (later.length > 0) this.reportsInOrder = later;
    return next;
  }

  close(): void {
    this.closed = true;
  }

  /** Reports a connection state of a transport, as the browser would. */
  setConnectionState(direction: Direction, state: ConnectionState): void {
    this.signalling.onConnectionState(this.transports.get(direction) ?? '', direction, state);
  }
}

export function fakeTrack(id: string): MediaStreamTrack {
  return { id } as MediaStreamTrack;
}
