/**
 * A producer of another participant, as signals: what the server says of it, and its track while it is received.
 * Knows neither signalling nor media transports.
 */
import { signal, type Signal } from '@preact/signals-core';
import type { Kind, LayersReason, MediaSource, ProducerSummary } from './protocol';
import { spatialLayerFor } from './spatialLayer';

/** Why the server sends nothing of a video that is being sent to it. */
export type HeldBackReason = Exclude<LayersReason, 'publisher'>;

/** Height of a picture that is shown as large as it can be. */
const UNLIMITED = Number.POSITIVE_INFINITY;

export class RemoteProducer {
  readonly id: string;
  readonly kind: Kind;
  readonly source: MediaSource;
  readonly paused: Signal<boolean>;
  /** The track; null while it is not received. */
  readonly track = signal<MediaStreamTrack | null>(null);
  /** Why the server holds a video back; null while it sends it. */
  readonly heldBack = signal<HeldBackReason | null>(null);
  /** Whether less of a video is sent than before because of our connection, although it is shown as large. */
  isReduced = false;
  /** How much of it arrives at the server, 0 to 10; null where that is not known. */
  score: number | null = null;
  /** Height in device pixels at which a video is shown, 0 when it is not. Until the page says so, it is unlimited. */
  shownHeight = UNLIMITED;
  /** Number of videos that are shown with it, itself included. */
  shownVideos = 1;
  /** Number of spatial layers while it is received. */
  private layers = 1;
  /** Height of the best layer in pixels; null until it was received. */
  private fullHeight: number | null = null;
  /** Layer that is sent at present, and the best one that was sent since another one was requested. */
  private sentLayer: number | null = null;
  private bestLayer = 0;

  constructor({ producerId, kind, source, paused }: ProducerSummary) {
    this.id = producerId;
    this.kind = kind;
    this.source = source ?? (kind === 'audio' ? 'mic' : 'camera');
    this.paused = signal(paused === true);
  }

  get isCamera(): boolean {
    return this.kind === 'video' && this.source !== 'screen';
  }

  get isScreen(): boolean {
    return this.kind === 'video' && this.source === 'screen';
  }

  /** Layer that is sharp enough for the size at which a video is shown; null when it is not shown. */
  get wantedLayer(): number | null {
    return this.shownHeight > 0 ? spatialLayerFor(this.shownHeight, this.layers, this.fullHeight, this.shownVideos) : null;
  }

  /** Layer that the server sends, counted from 1, of how many; null where it has not told. */
  get receivedLayer(): { number: number; count: number } | null {
    return this.sentLayer === null ? null : { number: this.sentLayer + 1, count: this.layers };
  }

  /** Begins to receive a track with this number of spatial layers. */
  startReceiving(track: MediaStreamTrack, layers: number): void {
    this.layers = layers;
    this.track.value = track;
  }

  stopReceiving(): void {
    this.track.value = null;
    this.heldBack.value = null;
    this.score = null;
    this.forgetSentLayer();
  }

  /** Records the layer that the server sends, undefined for none, and why it is no better. */
  recordSentLayer(layer: number | undefined, reason: LayersReason | undefined): void {
    this.heldBack.value = layer === undefined && reason !== 'publisher' ? (reason ?? null) : null;
    this.isReduced = layer !== undefined && layer < this.bestLayer && reason === 'bandwidth';
    this.sentLayer = layer ?? null;
    this.bestLayer = Math.max(this.bestLayer, layer ?? 0);
  }

  /** Forgets what was sent, because something else was requested. */
  forgetSentLayer(): void {
    this.sentLayer = null;
    this.bestLayer = 0;
    this.isReduced = false;
  }

  /** Records the height of the pictures that arrive. That of the best layer tells the heights of all. */
  recordPictureHeight(height: number): void {
    if (this.sentLayer === this.layers - 1 && height > 0) this.fullHeight = height;
  }
}
