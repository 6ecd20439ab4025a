/**
 * Media without a browser, for tests: transports that never were, tracks that
 * only have an id. Keeps a record of what was asked of it.
 */
import type { Media, OpenMedia, PipeState, Publication, Reception, VideoCodec, Wire } from './media';
import type { Consumed, Direction, MediaSource, TransportCreated } from './protocol';

export class FakeMedia implements Media {
  static all: FakeMedia[] = [];
  /** Passed to `Room`; every opened one is kept in `all`. */
  static readonly open: OpenMedia = async (_capabilities, wire) => {
    const media = new FakeMedia(wire);
    FakeMedia.all.push(media);
    return media;
  };

  readonly capabilities = { codecs: [] };
  readonly transports = new Map<Direction, string>();
  readonly publications: (Publication & { source: MediaSource; codec: VideoCodec; paused: boolean; closed: boolean })[] = [];
  readonly receptions: Reception[] = [];
  readonly restarted: string[] = [];
  closed = false;
  level = 0;

  private constructor(private readonly wire: Wire) {}

  open({ transportId, direction }: TransportCreated): void {
    this.transports.set(direction, transportId);
  }

  async publish(source: MediaSource, track: MediaStreamTrack, codec: VideoCodec): Promise<Publication> {
    const kind = source === 'camera' ? 'video' : 'audio';
    const id = await this.wire.produce(this.transports.get('send') ?? '', kind, { track: track.id }, source);
    const publication = {
      id,
      source,
      codec,
      paused: false,
      closed: false,
      pause: () => void (publication.paused = true),
      resume: () => void (publication.paused = false),
      replace: async () => undefined,
      close: () => void (publication.closed = true),
    };
    this.publications.push(publication);
    return publication;
  }

  async receive({ consumerId, producerId }: Consumed): Promise<Reception> {
    const reception: Reception & { closed: boolean } = {
      consumerId,
      producerId,
      track: fakeTrack(`track of ${producerId}`),
      level: () => this.level,
      closed: false,
      close: () => void (reception.closed = true),
    };
    this.receptions.push(reception);
    return reception;
  }

  async restartIce(transportId: string): Promise<void> {
    this.restarted.push(transportId);
  }

  close(): void {
    this.closed = true;
  }

  /** Has a transport report a state, as the browser would. */
  become(direction: Direction, state: PipeState): void {
    this.wire.state(this.transports.get(direction) ?? '', direction, state);
  }
}

export function fakeTrack(id: string): MediaStreamTrack {
  return { id } as MediaStreamTrack;
}
