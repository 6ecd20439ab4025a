/** Another person in the room, as signals. Knows nothing of the line or of media. */
import { signal } from '@preact/signals';
import type { Layer } from './layout';
import type { Kind, ProducerSummary, Role } from './protocol';

/** A camera's full picture, which the server sends to those who ask for nothing. */
export const LAYER_MAX: Layer = 2;

export class Participant {
  readonly name = signal('');
  readonly role = signal<Role>('speaker');
  readonly video = signal<MediaStreamTrack | null>(null);
  readonly audio = signal<MediaStreamTrack | null>(null);
  readonly cameraOn = signal(false);
  readonly microphoneOn = signal(false);
  readonly speaking = signal(false);
  /** What this person sends, by producer id. */
  readonly producers = new Map<string, ProducerSummary>();
  lastHeardMs = 0;
  /** The largest picture wanted of this person; all of it until a tile says otherwise. */
  layer: Layer = LAYER_MAX;

  constructor(readonly id: string) {}

  get label(): string {
    return labelOf(this.id, this.name.value);
  }

  /** Brings the signals in line with `producers`. */
  refresh(): void {
    const live = (kind: Kind) => [...this.producers.values()].some((one) => one.kind === kind && !one.paused);
    this.cameraOn.value = live('video');
    this.microphoneOn.value = live('audio');
  }
}

/** What to call somebody; those of other clients may have no name. */
export function labelOf(id: string, name: string | undefined): string {
  return name || `Guest ${id.slice(-4)}`;
}
