/**
 * Producers of this participant: keeps what is sent in line with what is captured,
 * one request at a time for each source. What fails is tried again for as long as it is wanted. Opens no
 * device and no transport.
 */
import type { Device } from './capture';
import { UnsupportedBrowser, type Media, type MediaProducer, type SentTrack, type VideoCodec } from './media';
import { lowestScore } from './participant';
import type { MediaSource, Notice, ProducerDemandChanged, ProducerScore } from './protocol';
import { RetryTimers } from './retryTimers';
import type { LocalScreen } from './screenCapture';
import { ConnectionLost, Refusal, failureReason, isLasting, type RoomSignalling } from './signalling';

/** The local tracks, as `Capture` and `ScreenCapture` have them. */
export interface LocalTracks {
  readonly camera: { readonly value: MediaStreamTrack | null };
  readonly microphone: { readonly value: MediaStreamTrack | null };
  readonly cameraOn: { readonly value: boolean };
  readonly microphoneOn: { readonly value: boolean };
  readonly screens: { readonly value: readonly LocalScreen[] };
  /** Switches a device off if it is on. */
  switchOff(device: Device): void;
  /** Stops sharing a screen. */
  stopScreen(id: string): void;
}

/** What is to be sent of a source. */
interface WantedTrack {
  /** Null without a track: what is sent already is paused then. */
  sent: SentTrack | null;
  source: MediaSource;
  on: boolean;
  /** Id of the screen. */
  screenId?: string;
}

/** A producer and the local state that the server knows of. */
interface ActiveProducer {
  producer: MediaProducer;
  wanted: WantedTrack;
  sent: SentTrack;
  on: boolean;
}

export class Producers {
  private media: Media | null = null;
  private codec: VideoCodec = 'vp8';
  /** By the keys of `wantedTracks`. */
  private readonly active = new Map<string, ActiveProducer>();
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
    for (const { producer } of this.active.values()) producer.close();
    this.active.clear();
    this.scores.clear();
  }

  /** Creates, pauses, resumes, replaces and closes producers until they match the captured tracks. */
  async sync(): Promise<void> {
    this.syncRequested = true;
    if (this.syncing) return;
    this.syncing = true;
    while (this.syncRequested && this.media && this.canSend()) {
      this.syncRequested = false;
      const wanted = this.wantedTracks();
      for (const key of [...this.active.keys()]) if (!wanted.has(key)) this.close(key);
      await Promise.all([...wanted].map(([key, it]) => this.syncTrack(key, it)));
    }
    this.syncing = false;
  }

  /** Returns what is to be sent, by a key of each source. Video first, as the protocol's first client does. */
  private wantedTracks(): Map<string, WantedTrack> {
    const { camera, cameraOn, microphone, microphoneOn, screens } = this.tracks;
    const result = new Map<string, WantedTrack>([
      ['camera', { source: 'camera', sent: sentTrack('camera', camera.value), on: cameraOn.value }],
      ['mic', { source: 'mic', sent: sentTrack('mic', microphone.value), on: microphoneOn.value }],
    ]);
    for (const { id: screenId, video, audio, mode } of screens.value) {
      const sent: SentTrack = { source: 'screen', track: video, content: mode };
      result.set(screenId, { source: 'screen', sent, on: true, screenId });
      if (!audio) continue;
      result.set(`${screenId} sound`, { source: 'screen-audio', sent: sentTrack('screen-audio', audio), on: true, screenId });
    }
    return result;
  }

  /**
   * Switches off what the server paused. Returns the device; null for a screen, which is not shared any more, and
   * for what is not ours.
   */
  handleMuted(producerId: string): Device | null {
    for (const active of this.active.values()) {
      if (active.producer.id !== producerId) continue;
      active.on = false;
      active.producer.pause();
      return this.switchOff(active.wanted);
    }
    return null;
  }

  handleNotice({ type, payload }: Notice): void {
    if (type === 'producerClosed') this.handleClosed(payload.producerId);
    else if (type === 'producerDemandChanged') this.handleDemand(payload);
    else if (type === 'producerScore') this.handleScore(payload);
  }

  /** Closes the producer that the server closed. A screen is not shared any more. */
  private handleClosed(producerId: string): void {
    this.scores.delete(producerId);
    for (const [key, { producer, wanted }] of this.active) {
      if (producer.id !== producerId) continue;
      producer.close();
      this.active.delete(key);
      if (wanted.screenId !== undefined) this.switchOff(wanted);
    }
  }

  private switchOff({ source, screenId }: WantedTrack): Device | null {
    if (screenId !== undefined) {
      this.tracks.stopScreen(screenId);
      return null;
    }
    const device = source === 'camera' ? 'camera' : 'microphone';
    this.tracks.switchOff(device);
    return device;
  }

  /** Closes a producer here and at the server. */
  private close(key: string): void {
    const active = this.active.get(key);
    if (!active) return;
    const producerId = active.producer.id;
    this.active.delete(key);
    this.retries.settle(key);
    this.scores.delete(producerId);
    active.producer.close();
    this.closeOnServer(producerId);
  }

  /** Makes the server close a producer, again and again until it has: the others would see a picture that stands. */
  private closeOnServer(producerId: string): void {
    this.signalling.request('closeProducer', { producerId }).catch((error: unknown) => {
      const isGone = !(error instanceof Refusal) || error.code === 'producer-not-found';
      if (!isGone && !isLasting(error)) this.retries.schedule(producerId, () => this.closeOnServer(producerId));
    });
  }

  /** Records how much of a producer arrives at the server. */
  private handleScore({ producerId, score }: ProducerScore): void {
    const isOurs = [...this.active.values()].some(({ producer }) => producer.id === producerId);
    if (isOurs) this.scores.set(producerId, score);
  }

  /** How much of what we send arrives at the server, 1 to 10; null where that is not known. */
  get uplink(): number | null {
    return lowestScore(this.scores.values());
  }

  /** Sends what the receivers of a producer want of it, after what they wanted before. */
  private handleDemand({ producerId, ...demand }: ProducerDemandChanged): void {
    for (const { producer } of this.active.values()) {
      if (producer.id !== producerId) continue;
      const apply = () => producer.fitToDemand(demand);
      // A sender that has just stopped refuses; its next producer begins with everything.
      this.settling = this.settling.then(apply).catch(() => undefined);
    }
  }

  private async syncTrack(key: string, wanted: WantedTrack): Promise<void> {
    const { media } = this;
    if (!media || !this.canSend()) return;
    try {
      await this.update(media, key, wanted);
      this.retries.settle(key);
    } catch (error) {
      // The loss of the connection, the transports or the permission is handled elsewhere.
      if (media !== this.media || !this.canSend()) return;
      if (error instanceof ConnectionLost) return;
      const isLastingFailure = error instanceof UnsupportedBrowser || isLasting(error);
      const isFirst = isLastingFailure || this.retries.schedule(key, () => void this.sync());
      if (!isFirst || !(error instanceof Refusal || error instanceof UnsupportedBrowser)) return;
      const reason = error instanceof Refusal ? failureReason(error) : { code: 'unsupported', message: error.message };
      this.signalling.reportProblem({ code: 'notSent', source: wanted.source, reason });
      // A screen that is refused for good is not shared: the page must not say that it is.
      if (isLastingFailure && wanted.screenId !== undefined) this.switchOff(wanted);
    }
  }

  private async update(media: Media, key: string, wanted: WantedTrack): Promise<void> {
    const { sent, on } = wanted;
    const active = this.active.get(key);
    if (active && sent && on && sent.track !== active.sent.track) {
      // Another camera may have another number of layers.
      if (!active.producer.canSend(sent)) {
        this.close(key);
        return this.produce(media, key, wanted);
      }
      await active.producer.replaceTrack(sent);
      active.sent = sent;
    }
    if (!active) return this.produce(media, key, wanted);
    if (sent && sent.content !== active.sent.content) {
      active.sent = sent;
      await active.producer.setContent(sent.content ?? 'camera');
    }
    await this.setOn(active, on && sent !== null);
  }

  private async produce(media: Media, key: string, wanted: WantedTrack): Promise<void> {
    const { sent, on } = wanted;
    if (!sent || !on) return;
    const producer = await media.produce(sent, this.codec);
    if (media !== this.media || !this.canSend()) return producer.close();
    this.active.set(key, { producer, wanted, sent, on });
    // The person may have stopped sharing meanwhile.
    if (!this.wantedTracks().has(key)) this.close(key);
  }

  private async setOn(active: ActiveProducer, on: boolean): Promise<void> {
    if (on === active.on) return;
    const producerId = active.producer.id;
    if (on) active.producer.resume();
    else active.producer.pause();
    active.on = on;
    try {
      await this.signalling.request(on ? 'resumeProducer' : 'pauseProducer', { producerId });
    } catch (error) {
      // The server still has the other state.
      active.on = !on;
      throw error;
    }
  }
}

function sentTrack(source: MediaSource, track: MediaStreamTrack | null): SentTrack | null {
  return track && { source, track, content: 'camera' };
}
