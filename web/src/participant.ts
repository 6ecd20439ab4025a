/** Another participant of the room, as signals. Knows neither signalling nor media transports. */
import { computed, signal } from '@preact/signals-core';
import type { Cause } from './connectionQuality';
import type { Named } from './notifications';
import type { Role } from './protocol';
import type { RemoteProducer } from './remoteProducer';

export class Participant {
  readonly name = signal('');
  readonly role = signal<Role>('speaker');
  /** What the participant sends, oldest first. */
  readonly producers = signal<readonly RemoteProducer[]>([]);
  /** The camera, received or not; null without one. */
  readonly camera = computed(() => {
    const cameras = this.producers.value.filter(({ isCamera }) => isCamera);
    return cameras.find(({ paused }) => !paused.value) ?? cameras[0] ?? null;
  });
  /** Shared screens, oldest first. */
  readonly screens = computed(() => this.producers.value.filter(({ isScreen, paused }) => isScreen && !paused.value));
  /** Sounds of microphones and of shared screens. */
  readonly sounds = computed(() => this.producers.value.filter(({ kind }) => kind === 'audio'));
  /** Whether a camera is sent, received or not. */
  readonly cameraOn = computed(() => this.camera.value?.paused.value === false);
  readonly microphoneOn = computed(() => this.sounds.value.some(({ source, paused }) => source === 'mic' && !paused.value));
  /** Whether nothing arrives at the server from the participant. */
  readonly interrupted = signal(false);
  /** Why the participant is not seen or heard well; null when all is well. */
  readonly cause = signal<Cause | null>(null);

  constructor(readonly id: string) {}

  /** Id and name, as a notification keeps them. */
  get identity(): Named {
    return { id: this.id, name: this.name.value };
  }

  /** How much of what the participant sends arrives at the server, 1 to 10; null where that is not known. */
  get uplink(): number | null {
    return lowestScore(this.producers.value.flatMap(({ score }) => score ?? []));
  }

  producer(id: string): RemoteProducer | undefined {
    return this.producers.value.find((producer) => producer.id === id);
  }
}

/** Returns the lowest score of producers on the same path, of those that arrive; null when none does. */
export function lowestScore(scores: Iterable<number>): number | null {
  const arriving = [...scores].filter((score) => score > 0);
  return arriving.length > 0 ? Math.min(...arriving) : null;
}
