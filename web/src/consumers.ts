/**
 * Consumers of the others' producers: one for each, at the layer its tile needs. What
 * fails is tried again for as long as the producer exists. Opens no transport.
 */
import type { Media, MediaConsumer } from './media';
import { LAYER_MAX, isCamera, type Participant } from './participant';
import type { ParticipantList } from './participantList';
import type { Consumed, ConsumerLayersChanged, ConsumerScore } from './protocol';
import { RetryTimers } from './retryTimers';
import { ConnectionLost, Refusal, failureReason, isLasting, type RoomSignalling } from './signalling';
import type { SpatialLayer } from './tileLayout';

/** How long the first consumers wait for one another, so that the browser negotiates only once for them. */
const GATHER_MS_MAX = 300;
/** How long `start` waits for the first consumers. */
const START_MS_MAX = 1_000;

export class Consumers {
  private media: Media | null = null;
  private camerasWanted = true;
  private readonly byProducerId = new Map<string, MediaConsumer>();
  /** Repeated requests, by producer id, and by consumer id for layers. */
  private readonly retries = new RetryTimers();

  constructor(
    private readonly list: ParticipantList,
    private readonly signalling: RoomSignalling,
  ) {}

  /**
   * Consumes all producers on the receive transport of `media`. The browser negotiates once for
   * those whose replies come soon. Resolves when it has, or after `START_MS_MAX`.
   */
  async start(media: Media): Promise<void> {
    this.media = media;
    const producerIds = this.producerIds().filter((producerId) => this.isWanted(producerId));
    const requests = producerIds.map((producerId) => ({ producerId, reply: this.requestConsumer(media, producerId) }));
    const gathered = Promise.race([Promise.allSettled(requests.map(({ reply }) => reply)), delay(GATHER_MS_MAX)]);
    const consumers = requests.map(({ producerId, reply }) =>
      this.receive(media, producerId, gathered.then(() => reply)),
    );
    await Promise.race([Promise.all(consumers), delay(START_MS_MAX)]);
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
    if (!media || this.byProducerId.has(producerId) || !this.isWanted(producerId)) return;
    await this.receive(media, producerId, this.requestConsumer(media, producerId));
  }

  /** Receives what the reply to `consume` describes, and lets the server send it. */
  private async receive(media: Media, producerId: string, reply: Promise<Consumed>): Promise<void> {
    let consumerId: string | null = null;
    try {
      const consumed = await reply;
      if (media !== this.media) return;
      consumerId = consumed.consumerId;
      const consumer = await media.consume(consumed);
      const participant = this.list.ownerOf(producerId);
      if (media !== this.media || !participant) return consumer.close();
      // The person may have switched receiving cameras off, or off and on, meanwhile.
      if (!this.isWanted(producerId) || this.byProducerId.has(producerId)) {
        consumer.close();
        return this.closeOnServer(consumerId);
      }
      this.byProducerId.set(producerId, consumer);
      const video = consumed.kind === 'video';
      (video ? participant.video : participant.audio).value = consumer.track;
      if (video && participant.layer < LAYER_MAX) this.setPreferredLayer(consumed.consumerId, participant.layer);
      void this.resume(media, producerId, consumed.consumerId);
    } catch (error) {
      if (media === this.media) this.handleConsumeError(producerId, consumerId, error);
    }
  }

  private async resume(media: Media, producerId: string, consumerId: string): Promise<void> {
    try {
      await this.signalling.request('resumeConsumer', { consumerId });
      this.retries.settle(producerId);
    } catch (error) {
      if (media === this.media) this.handleConsumeError(producerId, consumerId, error);
    }
  }

  private requestConsumer(media: Media, producerId: string): Promise<Consumed> {
    return this.signalling.request('consume', { producerId, rtpCapabilities: media.capabilities });
  }

  /** Consumes again later, unless the refusal is lasting. The person is told once. */
  private handleConsumeError(producerId: string, consumerId: string | null, error: unknown): void {
    // A lost connection is followed by `stop` and `start`.
    if (error instanceof ConnectionLost) return;
    this.closeConsumer(producerId);
    if (consumerId) this.closeOnServer(consumerId);
    const participant = this.list.ownerOf(producerId);
    if (!participant) return;
    const isFirst = isLasting(error) || this.retries.schedule(producerId, () => void this.consume(producerId));
    // A notice about a closed producer follows.
    const isGone = error instanceof Refusal && error.code === 'producer-not-found';
    if (!isFirst || isGone || !(error instanceof Refusal)) return;
    this.signalling.reportProblem({ code: 'notReceived', who: participant.identity, reason: failureReason(error) });
  }

  /** Receives the cameras of others, or not. Sound and shared screens are always received. */
  setCamerasWanted(wanted: boolean): void {
    if (wanted === this.camerasWanted) return;
    this.camerasWanted = wanted;
    for (const producerId of this.producerIds()) {
      const consumer = this.byProducerId.get(producerId);
      if (!consumer) void this.consume(producerId);
      else if (!this.isWanted(producerId)) {
        this.close(producerId);
        this.closeOnServer(consumer.consumerId);
      }
    }
  }

  private isWanted(producerId: string): boolean {
    const producer = this.list.ownerOf(producerId)?.producers.get(producerId);
    return this.camerasWanted || !producer || !isCamera(producer);
  }

  private producerIds(): string[] {
    return this.list.participants.value.flatMap(({ producers }) => [...producers.keys()]);
  }

  /** Makes the server close a consumer, again and again until it has. */
  private closeOnServer(consumerId: string): void {
    this.signalling.request('closeConsumer', { consumerId }).catch((error: unknown) => {
      const isGone = !(error instanceof Refusal) || error.code === 'consumer-not-found';
      if (!isGone && !isLasting(error)) this.retries.schedule(consumerId, () => this.closeOnServer(consumerId));
    });
  }

  /** Closes a consumer that the server closed. Consumes again, unless its producer turns out to be gone. */
  handleClosed(producerId: string): void {
    if (!this.byProducerId.has(producerId)) return;
    this.closeConsumer(producerId);
    this.retries.schedule(producerId, () => void this.consume(producerId));
  }

  /** Records which layer of a video the server sends, and why it is no better. */
  handleLayersChanged({ consumerId, spatialLayer, reason }: ConsumerLayersChanged): void {
    const producerId = this.producerIdOf(consumerId);
    if (producerId) this.list.ownerOf(producerId)?.recordSentLayer(spatialLayer, reason);
  }

  /** Records how much of a producer arrives at the server. */
  handleScore({ consumerId, producerScore }: ConsumerScore): void {
    const producerId = this.producerIdOf(consumerId);
    if (producerId) this.list.ownerOf(producerId)?.scores.set(producerId, producerScore);
  }

  private producerIdOf(consumerId: string): string | undefined {
    return [...this.byProducerId].find(([, consumer]) => consumer.consumerId === consumerId)?.[0];
  }

  /** Returns the consumers of each participant. */
  byParticipant(): Map<Participant, MediaConsumer[]> {
    const result = new Map<Participant, MediaConsumer[]>();
    for (const participant of this.list.participants.value) {
      const consumers = [...participant.producers.keys()].flatMap((id) => this.byProducerId.get(id) ?? []);
      if (consumers.length > 0) result.set(participant, consumers);
    }
    return result;
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
    this.list.ownerOf(producerId)?.scores.delete(producerId);
    for (const participant of this.list.participants.value) {
      if (participant.video.value === consumer.track) {
        participant.video.value = null;
        participant.videoHeldBack.value = null;
        participant.forgetSentLayer();
      }
      if (participant.audio.value === consumer.track) participant.audio.value = null;
    }
  }

  /** Requests this participant's video at the layer its tile needs. */
  setWantedLayer(participant: Participant, layer: SpatialLayer): void {
    if (participant.layer === layer) return;
    participant.requestLayer(layer);
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
      const participant = consumer.consumerId === consumerId && this.list.ownerOf(producerId);
      if (participant) this.setPreferredLayer(consumerId, participant.layer);
    }
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
