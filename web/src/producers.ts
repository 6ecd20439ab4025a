/**
 * Producers of this participant: keeps what is sent in line with what is captured,
 * one request at a time for each source. What fails is tried again for as long as it is wanted. Opens no
 * device and no transport.
 */
import type { Device } from './capture';
import { UnsupportedBrowser, type Media, type MediaProducer, type VideoCodec } from './media';
import { lowestScore } from './participant';
import type { MediaSource, ProducerDemandChanged, ProducerScore } from './protocol';
import { RetryTimers } from './retryTimers';
import { ConnectionLost, Refusal, failureReason, isLasting, type RoomSignalling } from './signalling';

/** The local tracks, as `Capture` has them. */
export interface LocalTracks {
  readonly camera: { readonly value: MediaStreamTrack | null };
  readonly microphone: { readonly value: MediaStreamTrack | null };
  readonly cameraOn: { readonly value: boolean };
  readonly microphoneOn: { readonly value: boolean };
  /** Switches a device off if it is on. */
  switchOff(device: Device): void;
}

/** A producer and the local state that the server knows of. */
interface ActiveProducer {
  producer: MediaProducer;
  track: MediaStreamTrack;
  on: boolean;
}

export class Producers {
  private media: Media | null = null;
  private codec: VideoCodec = 'vp8';
  private readonly bySource = new Map<MediaSource, ActiveProducer>();
  private syncing = false;
  private syncRequested = false;
  private readonly retries = new RetryTimers();
  /** How much of each producer arrives at the server, 0 to 10, by producer id. */
  private readonly scores = new Map<string, number>();
  /** The latest change of what a sender sends. */
  private settling: Promise<void> = Promise.resolve();

  constructor(
    private readonly tracks: LocalTracks,
    private readonly signalling: RoomSignalling,
    /** Whether sending is permitted now. */
    private readonly canSend: () => boolean,
  ) {}

  /** Starts sending the captured tracks on the send transport of `media`. */
  start(media: Media, codec: VideoCodec): Promise<void> {
    this.media = media;
    this.codec = codec;
    return this.sync();
  }

  /** Closes all producers and forgets the transport. */
  stop(): void {
    this.closeAll();
    this.retries.clear();
    this.media = null;
  }

  /** Closes all producers; the next permitted `sync` creates new ones. */
  closeAll(): void {
    for (const { producer } of this.bySource.values()) producer.close();
    this.bySource.clear();
    this.scores.clear();
  }

  /** Creates, pauses, resumes and replaces producers until they match the captured tracks. */
  async sync(): Promise<void> {
    this.syncRequested = true;
    if (this.syncing) return;
    this.syncing = true;
    const { tracks } = this;
    while (this.syncRequested && this.media && this.canSend()) {
      this.syncRequested = false;
      // Video first, as the protocol's first client does.
      await Promise.all([
        this.syncSource('camera', tracks.camera.value, tracks.cameraOn.value),
        this.syncSource('mic', tracks.microphone.value, tracks.microphoneOn.value),
      ]);
    }
    this.syncing = false;
  }

  /** Switches off the device whose producer the server paused, and returns that device. */
  handleMuted(producerId: string): Device | null {
    for (const [source, active] of this.bySource) {
      if (active.producer.id !== producerId) continue;
      active.on = false;
      active.producer.pause();
      const device = source === 'camera' ? 'camera' : 'microphone';
      this.tracks.switchOff(device);
      return device;
    }
    return null;
  }

  /** Closes the producer that the server closed. */
  handleClosed(producerId: string): void {
    for (const [source, { producer }] of this.bySource) {
      if (producer.id !== producerId) continue;
      producer.close();
      this.bySource.delete(source);
    }
    this.scores.delete(producerId);
  }

  /** Records how much of a producer arrives at the server. */
  handleScore({ producerId, score }: ProducerScore): void {
    const isOurs = [...this.bySource.values()].some(({ producer }) => producer.id === producerId);
    if (isOurs) this.scores.set(producerId, score);
  }

  /** How much of what we send arrives at the server, 1 to 10; null where that is not known. */
  get uplink(): number | null {
    return lowestScore(this.scores.values());
  }

  /** Sends what the receivers of a producer want of it, after what they wanted before. */
  handleDemand({ producerId, ...demand }: ProducerDemandChanged): void {
    for (const { producer } of this.bySource.values()) {
      if (producer.id !== producerId) continue;
      const apply = () => producer.fitToDemand(demand);
      // A sender that has just stopped refuses; its next producer begins with everything.
      this.settling = this.settling.then(apply).catch(() => undefined);
    }
  }

  private async syncSource(source: MediaSource, track: MediaStreamTrack | null, on: boolean): Promise<void> {
    const { media } = this;
    if (!media || !this.canSend()) return;
    try {
      await this.updateProducer(media, source, track, on);
      this.retries.settle(source);
    } catch (error) {
      // The loss of the connection, the transports or the permission is handled elsewhere.
      if (media !== this.media || !this.canSend()) return;
      if (error instanceof ConnectionLost) return;
      const isLastingFailure = error instanceof UnsupportedBrowser || isLasting(error);
      const isFirst = isLastingFailure || this.retries.schedule(source, () => void this.sync());
      if (!isFirst || !(error instanceof Refusal || error instanceof UnsupportedBrowser)) return;
      const device = source === 'mic' ? 'microphone' : 'camera';
      const reason = error instanceof Refusal ? failureReason(error) : { code: 'unsupported', message: error.message };
      this.signalling.reportProblem({ code: 'notSent', device, reason });
    }
  }

  private async updateProducer(
    media: Media,
    source: MediaSource,
    track: MediaStreamTrack | null,
    on: boolean,
  ): Promise<void> {
    const active = this.bySource.get(source);
    if (!active) {
      if (!track || !on) return;
      const producer = await media.produce(source, track, this.codec);
      if (media !== this.media || !this.canSend()) return producer.close();
      this.bySource.set(source, { producer, track, on });
      return;
    }
    if (on && track && active.track !== track) {
      await active.producer.replaceTrack(track);
      active.track = track;
    }
    const wanted = on && track !== null;
    if (wanted === active.on) return;
    const producerId = active.producer.id;
    if (wanted) active.producer.resume();
    else active.producer.pause();
    active.on = wanted;
    try {
      await this.signalling.request(wanted ? 'resumeProducer' : 'pauseProducer', { producerId });
    } catch (error) {
      // The server still has the other state.
      active.on = !wanted;
      throw error;
    }
  }
}
