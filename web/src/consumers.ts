/**
 * Consumers of the others' producers: one for each. A video that is not shown is paused; the others are requested at
 * the layer that fits. What fails is tried again for as long as the producer exists. Opens no transport.
 */
import type { Media, MediaConsumer } from './media';
import type { Participant } from './participant';
import type { ParticipantList } from './participantList';
import type { Consumed, ConsumerLayersChanged, ConsumerScore, Notice } from './protocol';
import type { RemoteProducer } from './remoteProducer';
import { RetryTimers } from './retryTimers';
import { ConnectionLost, Refusal, failureReason, isLasting, type RoomSignalling } from './signalling';
import { sleep } from './timeLimit';

/** How long the first consumers wait for one another, so that the browser negotiates only once for them. */
const GATHER_MS_MAX = 300;
/** How long `start` waits for the first consumers. */
const START_MS_MAX = 1_000;

/** Priorities that the server gives by itself, and that of the video which the person has pinned. */
const CAMERA_PRIORITY = 1;
const SCREEN_PRIORITY = 128;
const PINNED_PRIORITY = 192;

/** A consumer, and what was requested of it. */
interface Reception {
  consumer: MediaConsumer;
  /** Spatial layer; a new consumer has the best one. */
  layer: number;
  isResumed: boolean;
}

export class Consumers {
  private media: Media | null = null;
  private camerasWanted = true;
  private pinnedId: string | null = null;
  /** Heights at which videos are shown, by producer id; null until the page has said so. */
  private shown: ReadonlyMap<string, number> | null = null;
  private readonly byProducerId = new Map<string, Reception>();
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
    const wanted = this.list.producers().filter((producer) => this.isWanted(producer));
    const requests = wanted.map(({ id }) => ({ id, reply: this.requestConsumer(media, id) }));
    const gathered = Promise.race([Promise.allSettled(requests.map(({ reply }) => reply)), sleep(GATHER_MS_MAX)]);
    const consumers = requests.map(({ id, reply }) => this.receive(media, id, gathered.then(() => reply)));
    await Promise.race([Promise.all(consumers), sleep(START_MS_MAX)]);
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
    const producer = this.list.producer(producerId);
    if (!media || !producer || this.byProducerId.has(producerId) || !this.isWanted(producer)) return;
    await this.receive(media, producerId, this.requestConsumer(media, producerId));
  }

  /** Receives what the reply to `consume` describes, and lets the server send it if it is shown. */
  private async receive(media: Media, producerId: string, reply: Promise<Consumed>): Promise<void> {
    let consumerId: string | null = null;
    try {
      const consumed = await reply;
      if (media !== this.media) return;
      consumerId = consumed.consumerId;
      const consumer = await media.consume(consumed);
      const producer = this.list.producer(producerId);
      if (media !== this.media || !producer) return consumer.close();
      // The person may have switched receiving cameras off, or off and on, meanwhile.
      if (!this.isWanted(producer) || this.byProducerId.has(producerId)) {
        consumer.close();
        return this.closeOnServer(consumerId);
      }
      this.byProducerId.set(producerId, { consumer, layer: consumer.layers - 1, isResumed: false });
      producer.startReceiving(consumer.track, consumer.layers);
      if (producerId === this.pinnedId) this.requestPriority(producer);
      this.applyShown(producer);
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
    for (const producer of this.list.producers()) {
      const reception = this.byProducerId.get(producer.id);
      if (!reception) void this.consume(producer.id);
      else if (!this.isWanted(producer)) {
        this.close(producer.id);
        this.closeOnServer(reception.consumer.consumerId);
      }
    }
  }

  private isWanted(producer: RemoteProducer): boolean {
    return this.camerasWanted || !producer.isCamera;
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

  handleNotice({ type, payload }: Notice): void {
    if (type === 'consumerClosed') this.handleClosed(payload.producerId);
    else if (type === 'consumerLayersChanged') this.handleLayersChanged(payload);
    else if (type === 'consumerScore') this.handleScore(payload);
  }

  /** Records which layer of a video the server sends, and why it is no better. */
  private handleLayersChanged({ consumerId, spatialLayer, reason }: ConsumerLayersChanged): void {
    const [producerId, reception] = this.receptionOf(consumerId) ?? [];
    // What is paused at our request is not held back.
    if (producerId && reception?.isResumed) this.list.producer(producerId)?.recordSentLayer(spatialLayer, reason);
  }

  /** Records how much of a producer arrives at the server. */
  private handleScore({ consumerId, producerScore }: ConsumerScore): void {
    const [producerId] = this.receptionOf(consumerId) ?? [];
    const producer = producerId && this.list.producer(producerId);
    if (producer) producer.score = producerScore;
  }

  private receptionOf(consumerId: string): [producerId: string, reception: Reception] | undefined {
    return [...this.byProducerId].find(([, { consumer }]) => consumer.consumerId === consumerId);
  }

  /** Returns the consumers of each participant. */
  byParticipant(): Map<Participant, MediaConsumer[]> {
    const result = new Map<Participant, MediaConsumer[]>();
    for (const participant of this.list.participants.value) {
      const consumers = participant.producers.value.flatMap(({ id }) => this.byProducerId.get(id)?.consumer ?? []);
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
    const reception = this.byProducerId.get(producerId);
    if (!reception) return;
    this.byProducerId.delete(producerId);
    this.retries.settle(reception.consumer.consumerId);
    reception.consumer.close();
    this.list.producer(producerId)?.stopReceiving();
  }

  /** Records at what heights in device pixels videos are shown, by producer id; all others are not shown. */
  setShown(heights: ReadonlyMap<string, number>): void {
    this.shown = heights;
    for (const producer of this.list.producers()) this.applyShown(producer);
  }

  private applyShown(producer: RemoteProducer): void {
    if (this.shown && producer.kind === 'video') {
      producer.shownHeight = this.shown.get(producer.id) ?? 0;
      producer.shownVideos = this.shown.size;
    }
    this.fit(producer);
  }

  /** Records the height of the pictures that arrive of a video. */
  recordPictureHeight(producer: RemoteProducer, height: number): void {
    producer.recordPictureHeight(height);
    this.fit(producer);
  }

  /** Requests one video before all others, also where the room sends only some; null for none. */
  setPinned(producerId: string | null): void {
    if (producerId === this.pinnedId) return;
    const changed = [this.pinnedId, producerId];
    this.pinnedId = producerId;
    for (const id of changed) {
      const producer = id === null ? undefined : this.list.producer(id);
      if (producer) this.requestPriority(producer);
    }
  }

  private requestPriority(producer: RemoteProducer): void {
    const consumerId = this.byProducerId.get(producer.id)?.consumer.consumerId;
    if (!consumerId) return;
    const usual = producer.isScreen ? SCREEN_PRIORITY : CAMERA_PRIORITY;
    const priority = producer.id === this.pinnedId ? PINNED_PRIORITY : usual;
    // Refused only where the server does not know priorities: the pinned video is then one of many.
    this.signalling.request('setPriority', { consumerId, priority }).catch(() => undefined);
  }

  /** Requests of a producer what is shown of it: nothing, or the layer that fits. */
  private fit(producer: RemoteProducer): void {
    const reception = this.byProducerId.get(producer.id);
    if (!reception) return;
    const layer = producer.wantedLayer;
    if (layer !== null && layer !== reception.layer) {
      reception.layer = layer;
      producer.forgetSentLayer();
      this.requestLayer(producer.id, reception);
    }
    if (reception.isResumed !== (layer !== null)) void this.setResumed(producer, reception, layer !== null);
  }

  private async setResumed(producer: RemoteProducer, reception: Reception, isResumed: boolean): Promise<void> {
    const { consumerId } = reception.consumer;
    reception.isResumed = isResumed;
    producer.heldBack.value = null;
    try {
      await this.signalling.request(isResumed ? 'resumeConsumer' : 'pauseConsumer', { consumerId });
      this.retries.settle(producer.id);
    } catch (error) {
      if (this.byProducerId.get(producer.id) !== reception) return;
      if (!isRateLimited(error)) return this.handleConsumeError(producer.id, consumerId, error);
      // Whoever turns many pages at once sends many requests: this one is sent again if it is still wanted then.
      reception.isResumed = !isResumed;
      this.retries.schedule(producer.id, () => this.fit(producer));
    }
  }

  /** Requests the wanted layer, again and again until it is granted or another one is wanted. */
  private requestLayer(producerId: string, reception: Reception): void {
    const { layer: spatialLayer, consumer } = reception;
    const { consumerId } = consumer;
    this.signalling.request('setPreferredLayers', { consumerId, spatialLayer }).then(
      () => this.retries.settle(consumerId),
      (error: unknown) => {
        if (isLasting(error) || error instanceof ConnectionLost) return;
        this.retries.schedule(consumerId, () => {
          if (this.byProducerId.get(producerId) === reception) this.requestLayer(producerId, reception);
        });
      },
    );
  }
}

function isRateLimited(error: unknown): boolean {
  return error instanceof Refusal && error.code === 'rate-limited';
}
