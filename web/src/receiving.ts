/**
 * What this person receives: one subscription for each producer of the others,
 * as large as its tile, and who of them is speaking. It opens no transport.
 */
import type { Layer } from './layout';
import type { Media, Reception } from './media';
import { LAYER_MAX, type Participant } from './participant';
import { Refusal } from './socket';
import type { Asking } from './sending';

/** −40 dBov: above the noise of a quiet room, below speech. */
const SPEAKING_LEVEL = 0.01;
/** Keeps the mark on through the pauses between words. */
const SPEAKING_HOLD_MS = 800;

export class Receiving {
  private media: Media | null = null;
  /** By producer id. */
  private readonly receptions = new Map<string, Reception>();

  constructor(
    private readonly people: { readonly value: Participant[] },
    private readonly asking: Asking,
  ) {}

  /** From now on the others come through these pipes. */
  start(media: Media): void {
    this.media = media;
    for (const person of this.people.value) {
      for (const producerId of person.producers.keys()) void this.consume(producerId);
    }
  }

  /** Lets go of the pipes and of what came through them. */
  stop(): void {
    this.media = null;
    for (const producerId of [...this.receptions.keys()]) this.drop(producerId);
  }

  /** Does nothing before `start`, which takes everything that is there. */
  async consume(producerId: string): Promise<void> {
    const { media } = this;
    if (!media || this.receptions.has(producerId)) return;
    try {
      const rtpCapabilities = media.capabilities;
      const consumed = await this.asking.request('consume', { producerId, rtpCapabilities });
      if (media !== this.media) return;
      const reception = await media.receive(consumed);
      const person = this.ownerOf(producerId);
      if (media !== this.media || !person) return reception.close();
      this.receptions.set(producerId, reception);
      (consumed.kind === 'video' ? person.video : person.audio).value = reception.track;
      if (consumed.kind === 'video' && person.layer < LAYER_MAX) this.preferLayer(consumed.consumerId, person.layer);
      await this.asking.request('resumeConsumer', { consumerId: consumed.consumerId });
    } catch (error) {
      const person = this.ownerOf(producerId);
      if (media !== this.media || !person || !(error instanceof Refusal)) return;
      this.asking.complain(`${person.label} cannot be received: ${error.message}`);
    }
  }

  drop(producerId: string): void {
    const reception = this.receptions.get(producerId);
    if (!reception) return;
    this.receptions.delete(producerId);
    reception.close();
    for (const person of this.people.value) {
      if (person.video.value === reception.track) person.video.value = null;
      if (person.audio.value === reception.track) person.audio.value = null;
    }
  }

  /** Has this person's picture sent as large as its tile needs, and no larger. */
  wantLayer(person: Participant, layer: Layer): void {
    if (person.layer === layer) return;
    person.layer = layer;
    for (const [producerId, { kind }] of person.producers) {
      const reception = kind === 'video' && this.receptions.get(producerId);
      if (reception) this.preferLayer(reception.consumerId, layer);
    }
  }

  /** Marks who is speaking, from the levels the received packets carry. */
  listen(nowMs: number): void {
    for (const person of this.people.value) {
      for (const [producerId, { kind }] of person.producers) {
        if (kind !== 'audio') continue;
        const level = this.receptions.get(producerId)?.level() ?? 0;
        if (level > SPEAKING_LEVEL && person.microphoneOn.value) person.lastHeardMs = nowMs;
      }
      person.speaking.value = nowMs - person.lastHeardMs < SPEAKING_HOLD_MS;
    }
  }

  private preferLayer(consumerId: string, spatialLayer: Layer): void {
    // A refusal only means that the picture stays as it is.
    this.asking.request('setPreferredLayers', { consumerId, spatialLayer }).catch(() => undefined);
  }

  private ownerOf(producerId: string): Participant | undefined {
    return this.people.value.find((person) => person.producers.has(producerId));
  }
}
