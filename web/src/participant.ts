/** Another participant of the room, as signals. Knows neither signalling nor media transports. */
import { signal } from '@preact/signals';
import type { Cause } from './connectionQuality';
import type { Named } from './notifications';
import type { Kind, LayersReason, ProducerSummary, Role } from './protocol';
import type { SpatialLayer } from './tileLayout';

/** Why the server sends nothing of a video that is being sent to it. */
export type HeldBackReason = Exclude<LayersReason, 'publisher'>;

/** The full picture, which the server sends to consumers without a preference. */
export const LAYER_MAX: SpatialLayer = 2;

export class Participant {
  readonly name = signal('');
  readonly role = signal<Role>('speaker');
  readonly video = signal<MediaStreamTrack | null>(null);
  readonly audio = signal<MediaStreamTrack | null>(null);
  /** Whether a camera or a screen is sent. */
  readonly cameraOn = signal(false);
  /** Whether a camera is sent, received or not. */
  readonly sendsCamera = signal(false);
  readonly microphoneOn = signal(false);
  /** Why the server holds the video back; null while it sends it. */
  readonly videoHeldBack = signal<HeldBackReason | null>(null);
  /** Whether less of the video is sent than before because of our connection, although its tile is as large. */
  videoReduced = false;
  /** How much of each producer arrives at the server, 0 to 10, by producer id. */
  readonly scores = new Map<string, number>();
  /** Why the participant is not seen or heard well; null when all is well. */
  readonly cause = signal<Cause | null>(null);
  /** Producers of this participant, by producer id. */
  readonly producers = new Map<string, ProducerSummary>();
  /** Spatial layer to request; the full picture until a tile sets another one. */
  layer: SpatialLayer = LAYER_MAX;
  /** Best layer that was sent since `layer` was requested. */
  private bestLayer = 0;

  constructor(readonly id: string) {}

  /** Id and name, as a notification keeps them. */
  get identity(): Named {
    return { id: this.id, name: this.name.value };
  }

  requestLayer(layer: SpatialLayer): void {
    this.layer = layer;
    this.forgetSentLayer();
  }

  /** Records the layer that the server sends, undefined for none, and why it is no better. */
  recordSentLayer(layer: number | undefined, reason: LayersReason | undefined): void {
    this.videoHeldBack.value = layer === undefined && reason !== 'publisher' ? (reason ?? 'bandwidth') : null;
    this.videoReduced = layer !== undefined && layer < this.bestLayer && reason === 'bandwidth';
    this.bestLayer = Math.max(this.bestLayer, layer ?? 0);
  }

  /** How much of what the participant sends arrives at the server, 1 to 10; null where that is not known. */
  get uplink(): number | null {
    return lowestScore(this.scores.values());
  }

  forgetSentLayer(): void {
    this.bestLayer = 0;
    this.videoReduced = false;
  }

  /** Updates the signals of the devices from `producers`. */
  updateDeviceState(): void {
    const isLive = (kind: Kind) => [...this.producers.values()].some((it) => it.kind === kind && !it.paused);
    this.cameraOn.value = isLive('video');
    this.sendsCamera.value = [...this.producers.values()].some((it) => isCamera(it) && !it.paused);
    this.microphoneOn.value = isLive('audio');
  }
}

/** Returns the lowest score of producers on the same path, of those that arrive; null when none does. */
export function lowestScore(scores: Iterable<number>): number | null {
  const arriving = [...scores].filter((score) => score > 0);
  return arriving.length > 0 ? Math.min(...arriving) : null;
}

/** Whether a producer is a camera; where the source is not known, it is the usual one. */
export function isCamera({ kind, source }: ProducerSummary): boolean {
  return kind === 'video' && source !== 'screen';
}
