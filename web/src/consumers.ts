/**
 * Consumers of the others' producers: one for each, at the layer its tile needs. What
 * fails is tried again for as long as the producer exists. Opens no transport.
 */
import type { Media, MediaConsumer } from './media';
import { LAYER_MAX, type Participant } from './participant';
import { RetryTimers } from './retryTimers';
import { ConnectionLost, Refusal, isLasting, type RoomSignalling } from './signalling';
import type { SpatialLayer } from './tileLayout';

export class Consumers {
  private media: Media | null = null;
  private readonly byProducerId = new Map<string, MediaConsumer>();
  /** Repeated requests, by producer id, and by consumer id for layers. */
  private readonly retries = new RetryTimers();

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
    this.retries.clear();
    for (const producerId of [...this.byProducerId.keys()]) this.close(producerId);
  }

  /** Consumes one producer. Does nothing before `start`, which consumes all that exist then. */
  async consume(producerId: string): Promise<void> {
    const { media } = this;
    if (!media || this.byProducerId.has(producerId)) return;
    let consumerId: string | null = null;
    try {
      const rtpCapabilities = media.capabilities;
      const consumed = await this.signalling.request('consume', { producerId, rtpCapabilities });
      if (media !== this.media) return;
      consumerId = consumed.consumerId;
      const consumer = await media.consume(consumed);
      const participant = this.ownerOf(producerId);
      if (media !== this.media || !participant) return consumer.close();
      this.byProducerId.set(producerId, consumer);
      const video = consumed.kind === 'video';
      (video ? participant.video : participant.audio).value = consumer.track;
      if (video && participant.layer < LAYER_MAX) this.setPreferredLayer(consumed.consumerId, participant.layer);
      await this.signalling.request('resumeConsumer', { consumerId: consumed.consumerId });
      this.retries.settle(producerId);
    } catch (error) {
      if (media === this.media) this.handleConsumeError(producerId, consumerId, error);
    }
  }

  /** Consumes again later, unless the refusal is lasting. The person is told once. */
  private handleConsumeError(producerId: string, consumerId: string | null, error: unknown): void {
    // A lost connection is followed by `stop` and `start`.
    if (error instanceof ConnectionLost) return;
    this.closeConsumer(producerId);
    if (consumerId) this.signalling.request('closeConsumer', { consumerId }).catch(() => undefined);
    const participant = this.ownerOf(producerId);
    if (!participant) return;
    const isFirst = isLasting(error) || this.retries.schedule(producerId, () => void this.consume(producerId));
    // A notice about a closed producer follows.
    const isGone = error instanceof Refusal && error.code === 'producer-not-found';
    if (!isFirst || isGone || !(error instanceof Refusal)) return;
    this.signalling.reportProblem(`${participant.label} cannot be received: ${error.message}`);
  }

  /** Closes a consumer that the server closed. Consumes again, unless its producer turns out to be gone. */
  handleClosed(producerId: string): void {
    if (!this.byProducerId.has(producerId)) return;
    this.closeConsumer(producerId);
    this.retries.schedule(producerId, () => void this.consume(producerId));
  }

  /** Records which layer of a video the server sends; undefined when our connection carries none. */
  handleLayersChanged(consumerId: string, spatialLayer: number | undefined): void {
    for (const [producerId, consumer] of this.byProducerId) {
      if (consumer.consumerId !== consumerId) continue;
      const participant = this.ownerOf(producerId);
      if (participant) participant.videoHeldBack.value = spatialLayer === undefined;
    }
  }

  /** Closes the consumer of a producer that is gone. */
  close(producerId: string): void {
    this.retries.settle(producerId);
    this.closeConsumer(producerId);
  }

  private closeConsumer(producerId: string): void {
    const consumer = this.byProducerId.get(producerId);
    if (!consumer) return;
    this.byProducerId.delete(producerId);
    this.retries.settle(consumer.consumerId);
    consumer.close();
    for (const participant of this.participants.value) {
      if (participant.video.value === consumer.track) {
        participant.video.value = null;
        participant.videoHeldBack.value = false;
      }
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

  /** Requests a layer, again and again until it is granted or replaced by another wish. */
  private setPreferredLayer(consumerId: string, spatialLayer: SpatialLayer): void {
    this.signalling.request('setPreferredLayers', { consumerId, spatialLayer }).then(
      () => this.retries.settle(consumerId),
      (error: unknown) => {
        if (isLasting(error) || error instanceof ConnectionLost) return;
        this.retries.schedule(consumerId, () => this.repeatPreferredLayer(consumerId));
      },
    );
  }

  private repeatPreferredLayer(consumerId: string): void {
    for (const [producerId, consumer] of this.byProducerId) {
      const participant = consumer.consumerId === consumerId && this.ownerOf(producerId);
      if (participant) this.setPreferredLayer(consumerId, participant.layer);
    }
  }

  private ownerOf(producerId: string): Participant | undefined {
    return this.participants.value.find((participant) => participant.producers.has(producerId));
  }
}
