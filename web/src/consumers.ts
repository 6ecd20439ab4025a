/**
 * Consumers of the others' producers: one for each, at the layer its tile needs,
 * and the detection of who is speaking. Opens no transport.
 */
import type { Media, MediaConsumer } from './media';
import { LAYER_MAX, type Participant } from './participant';
import { Refusal, type RoomSignalling } from './signalling';
import type { SpatialLayer } from './tileLayout';

/** −40 dBov: above the noise of a quiet room, below speech. */
const SPEAKING_LEVEL = 0.01;
/** Bridges the pauses between words. */
const SPEAKING_HOLD_MS = 800;

export class Consumers {
  private media: Media | null = null;
  private readonly byProducerId = new Map<string, MediaConsumer>();

  constructor(
    private readonly participants: { readonly value: Participant[] },
    private readonly signalling: RoomSignalling,
  ) {}

  /** Consumes all producers on the receive transport of `media`. */
  start(media: Media): void {
    this.media = media;
    for (const participant of this.participants.value) {
      for (const producerId of participant.producers.keys()) void this.consume(producerId);
    }
  }

  /** Closes all consumers. */
  stop(): void {
    this.media = null;
    for (const producerId of [...this.byProducerId.keys()]) this.close(producerId);
  }

  /** Consumes one producer. Does nothing before `start`, which consumes all that exist then. */
  async consume(producerId: string): Promise<void> {
    const { media } = this;
    if (!media || this.byProducerId.has(producerId)) return;
    try {
      const rtpCapabilities = media.capabilities;
      const consumed = await this.signalling.request('consume', { producerId, rtpCapabilities });
      if (media !== this.media) return;
      const consumer = await media.consume(consumed);
      const participant = this.ownerOf(producerId);
      if (media !== this.media || !participant) return consumer.close();
      this.byProducerId.set(producerId, consumer);
      const video = consumed.kind === 'video';
      (video ? participant.video : participant.audio).value = consumer.track;
      if (video && participant.layer < LAYER_MAX) this.setPreferredLayer(consumed.consumerId, participant.layer);
      await this.signalling.request('resumeConsumer', { consumerId: consumed.consumerId });
    } catch (error) {
      const participant = this.ownerOf(producerId);
      if (media !== this.media || !participant || !(error instanceof Refusal)) return;
      this.signalling.reportProblem(`${participant.label} cannot be received: ${error.message}`);
    }
  }

  close(producerId: string): void {
    const consumer = this.byProducerId.get(producerId);
    if (!consumer) return;
    this.byProducerId.delete(producerId);
    consumer.close();
    for (const participant of this.participants.value) {
      if (participant.video.value === consumer.track) participant.video.value = null;
      if (participant.audio.value === consumer.track) participant.audio.value = null;
    }
  }

  /** Requests this participant's video at the layer its tile needs. */
  setWantedLayer(participant: Participant, layer: SpatialLayer): void {
    if (participant.layer === layer) return;
    participant.layer = layer;
    for (const [producerId, { kind }] of participant.producers) {
      const consumer = kind === 'video' && this.byProducerId.get(producerId);
      if (consumer) this.setPreferredLayer(consumer.consumerId, layer);
    }
  }

  /** Updates `speaking` of every participant from the audio levels in received packets. */
  updateSpeaking(nowMs: number): void {
    for (const participant of this.participants.value) {
      for (const [producerId, { kind }] of participant.producers) {
        if (kind !== 'audio') continue;
        const level = this.byProducerId.get(producerId)?.audioLevel() ?? 0;
        if (level > SPEAKING_LEVEL && participant.microphoneOn.value) participant.lastHeardMs = nowMs;
      }
      participant.speaking.value = nowMs - participant.lastHeardMs < SPEAKING_HOLD_MS;
    }
  }

  private setPreferredLayer(consumerId: string, spatialLayer: SpatialLayer): void {
    // After a refusal the layer stays as it is.
    this.signalling.request('setPreferredLayers', { consumerId, spatialLayer }).catch(() => undefined);
  }

  private ownerOf(producerId: string): Participant | undefined {
    return this.participants.value.find((participant) => participant.producers.has(producerId));
  }
}
