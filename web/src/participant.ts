/** Another participant of the room, as signals. Knows neither signalling nor media transports. */
import { signal } from '@preact/signals';
import type { Kind, ProducerSummary, Role } from './protocol';
import type { SpatialLayer } from './tileLayout';

/** The full picture, which the server sends to consumers without a preference. */
export const LAYER_MAX: SpatialLayer = 2;

export class Participant {
  readonly name = signal('');
  readonly role = signal<Role>('speaker');
  readonly video = signal<MediaStreamTrack | null>(null);
  readonly audio = signal<MediaStreamTrack | null>(null);
  readonly cameraOn = signal(false);
  readonly microphoneOn = signal(false);
  /** Whether the server holds the video back because our connection does not carry it. */
  readonly videoHeldBack = signal(false);
  /** Producers of this participant, by producer id. */
  readonly producers = new Map<string, ProducerSummary>();
  /** Spatial layer to request; the full picture until a tile sets another one. */
  layer: SpatialLayer = LAYER_MAX;

  constructor(readonly id: string) {}

  get label(): string {
    return displayLabel(this.id, this.name.value);
  }

  /** Updates `cameraOn` and `microphoneOn` from `producers`. */
  updateDeviceState(): void {
    const isLive = (kind: Kind) => [...this.producers.values()].some((it) => it.kind === kind && !it.paused);
    this.cameraOn.value = isLive('video');
    this.microphoneOn.value = isLive('audio');
  }
}

/** Returns the name to show; participants with other clients may have none. */
export function displayLabel(id: string, name: string | undefined): string {
  return name || `Guest ${id.slice(-4)}`;
}
