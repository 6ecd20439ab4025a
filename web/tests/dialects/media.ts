/** Producers, consumers and the event log that all test clients share. Knows no dialect. */
import type { types } from 'mediasoup-client';
import { fitToDemand, SINGLE } from '../../src/encodings';
import type { ProducerDemandChanged } from '../../src/protocol';
import type { InboundReport } from '../lineQuality';
import type { Camera, ClientOptions, ConsumerStats, Kind, ProducerSource, ServerEvent } from './client';

/** Returns three simulcast encodings, lowest first. */
export function simulcastEncodings(scalabilityMode: string): types.RtpEncodingParameters[] {
  return [100_000, 300_000, 900_000].map((maxBitrate, index) => ({ rid: `r${index}`, maxBitrate, scalabilityMode }));
}

/** Opens the fake camera and microphone. */
async function capture(camera: Camera): Promise<Record<Kind, MediaStreamTrack>> {
  const { width, height, frameRate } = camera;
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width, height, frameRate }, audio: true });
  const [video] = stream.getVideoTracks();
  const [audio] = stream.getAudioTracks();
  if (!video || !audio) throw new Error('the browser has no fake camera or microphone');
  return { audio, video };
}

interface ActiveConsumer {
  consumer: types.Consumer;
  /** Id of the participant whose producer is consumed, where the dialect tells it. */
  owner: string;
  player: HTMLAudioElement;
}

/** Consumers of one client. */
export class Consumers {
  private readonly byProducerId = new Map<string, ActiveConsumer>();

  add(consumer: types.Consumer, owner = ''): void {
    // A browser decodes audio only while an element plays it.
    const player = new Audio();
    player.srcObject = new MediaStream([consumer.track]);
    if (consumer.kind === 'audio') void player.play();
    this.byProducerId.set(consumer.producerId, { consumer, owner, player });
  }

  closeProducer(producerId: string): void {
    this.closeWhere(({ consumer }) => consumer.producerId === producerId);
  }

  closeConsumer(consumerId: string): void {
    this.closeWhere(({ consumer }) => consumer.id === consumerId);
  }

  closeOwner(owner: string): void {
    this.closeWhere((active) => active.owner === owner);
  }

  closeAll(): void {
    this.closeWhere(() => true);
  }

  async stats(): Promise<ConsumerStats[]> {
    const all = [];
    for (const { consumer } of [...this.byProducerId.values()]) {
      const { id: consumerId, producerId, kind } = consumer;
      const stats: ConsumerStats = { consumerId, producerId, kind, framesDecoded: 0, audioEnergy: 0 };
      for (const report of await readInbound(consumer)) {
        stats.framesDecoded = Number(report.framesDecoded ?? 0);
        stats.audioEnergy = Number(report.totalAudioEnergy ?? 0);
      }
      all.push(stats);
    }
    return all;
  }

  async inboundReports(): Promise<InboundReport[]> {
    const consumers = [...this.byProducerId.values()].map(({ consumer }) => consumer);
    return (await Promise.all(consumers.map(readInbound))).flat();
  }

  private closeWhere(matches: (active: ActiveConsumer) => boolean): void {
    for (const [producerId, active] of this.byProducerId) {
      if (!matches(active)) continue;
      active.consumer.close();
      active.player.srcObject = null;
      this.byProducerId.delete(producerId);
    }
  }
}

/** Reads the reports of what a consumer receives. */
async function readInbound(consumer: types.Consumer): Promise<InboundReport[]> {
  if (consumer.closed) return [];
  const reports: InboundReport[] = [...(await consumer.getStats()).values()];
  return reports.filter(({ type }) => type === 'inbound-rtp');
}

/** Producers of one client. */
export class Producers {
  private readonly bySource = new Map<ProducerSource, types.Producer>();

  constructor(private readonly options: ClientOptions) {}

  /** Produces camera and microphone; the encodings are the dialect's usual ones. */
  async publish(transport: types.Transport, usual?: types.RtpEncodingParameters[]): Promise<Record<Kind, string>> {
    const encodings = this.options.encodings ?? usual;
    const tracks = await capture(this.options.camera);
    const ids = { audio: '', video: '' };
    for (const kind of this.options.produceOrder) {
      const producer = await transport.produce({ track: tracks[kind], ...(kind === 'video' && encodings && { encodings }) });
      this.bySource.set(kind, producer);
      ids[kind] = producer.id;
    }
    return ids;
  }

  /** Produces the camera only and returns the producer's id. */
  async publishCamera(transport: types.Transport): Promise<string> {
    const { video: track } = await capture(this.options.camera);
    const producer = await transport.produce({ track });
    this.bySource.set('video', producer);
    return producer.id;
  }

  /** Produces a second camera as the screen: a browser without a window has none to share. */
  async shareScreen(transport: types.Transport): Promise<string> {
    const { video: track } = await capture(this.options.camera);
    const producer = await transport.produce({ track, appData: { screen: true }, encodings: [{ ...SINGLE[0] }] });
    this.bySource.set('screen', producer);
    return producer.id;
  }

  /** Sends of a screen what its receivers can be sent; cameras go on as before. */
  async fitScreenToDemand(demand: ProducerDemandChanged): Promise<void> {
    const screen = this.bySource.get('screen');
    if (screen?.id !== demand.producerId) return;
    const sender = screen.rtpSender;
    const parameters = sender?.getParameters();
    parameters?.encodings.forEach((encoding, index) => Object.assign(encoding, fitToDemand(SINGLE, demand)[index]));
    if (parameters) await sender?.setParameters(parameters);
  }

  /** Closes one producer locally and returns its id. */
  close(source: ProducerSource): string {
    const producer = this.bySource.get(source);
    if (!producer) throw new Error(`no ${source} is produced`);
    producer.close();
    this.bySource.delete(source);
    return producer.id;
  }

  closeAll(): void {
    for (const source of [...this.bySource.keys()]) this.close(source);
  }
}

/** Events that a client received, and its errors. */
export class EventLog {
  readonly events: ServerEvent[] = [];
  readonly failures: string[] = [];
  private stay = 0;

  record(event: string, payload: unknown): void {
    this.events.push({ event, payload });
  }

  /** Records the failure of background work, unless the client has left the room meanwhile. */
  watch(work: Promise<unknown>): void {
    const { stay } = this;
    work.catch((error: unknown) => {
      if (stay === this.stay) this.failures.push(error instanceof Error ? error.message : String(error));
    });
  }

  /** Tells the log that the client leaves its room. */
  leaveRoom(): void {
    this.stay += 1;
  }
}

/** Resolves or rejects a promise that is awaited elsewhere. */
export interface Deferred<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}
