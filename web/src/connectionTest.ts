/**
 * Test of the connection before a call: sends a voice made in code to the server, receives it again, and measures both
 * ways for some seconds. It uses the classes of a call, so that what works in the test works in a call. Loaded on demand.
 */
import { signal } from '@preact/signals-core';
import type { Route } from './connectionQuality';
import type { CreateMedia, Media, MediaConsumer, MediaProducer, TransportSignalling } from './media';
import type { Connected, Direction, IceServer, TransportCreated } from './protocol';
import { ConnectionLost, type SignallingConnection, type SignallingEvents } from './signalling';
import { sleep, within } from './timeLimit';
import { figuresOf, readReceived, readSent, type TrackFigures, type TrackReading } from './trackFigures';

export type TestStage = 'server' | 'media' | 'measuring' | 'done';

/** How a test ended. `failed` is an end for a reason that tells nothing of the connection, as a server with too many tests. */
export type TestOutcome = 'unreachable' | 'failed' | 'blocked' | Route;

export interface TestState {
  stage: TestStage;
  /** Time in ms that the server took to answer a request. */
  serverMs?: number;
  /** Port for media of the server. */
  port?: number;
  outcome?: TestOutcome;
  rttMs?: number;
  /** Share of packets lost on the worse of both ways, 0 to 1; absent when too few were sent to tell. */
  lossShare?: number;
}

/** Subject of the advice: the outcome, or a weakness of a connection that works. */
export type TestAdvice = TestOutcome | 'lossy' | 'slow';

/** A sound to send. */
export interface TestTone {
  track: MediaStreamTrack;
  stop(): void;
}

export interface ConnectionTestOptions {
  createSignalling(events: SignallingEvents): SignallingConnection;
  createMedia: CreateMedia;
  createTone(): TestTone;
}

/** Time within which the server answers, and sound gets through, if they do at all. */
const SERVER_MS_MAX = 6_000;
const MEDIA_MS_MAX = 8_000;
/** Time for the way to be chosen among those that work, before it is measured, and for which it is measured. */
const SETTLE_MS = 1_000;
const MEASURE_MS = 4_000;
/** Fewer packets tell nothing of the loss: a browser without an audio device sends no tone. */
const PACKETS_MIN = 50;
/** Loss that repair does not hide, and delay at which people begin to talk at the same time. */
const LOSS_SHARE_MAX = 0.03;
const RTT_MS_MAX = 300;

/** Returns what to advise after a test. */
export function adviceFor({ outcome = 'failed', lossShare = 0, rttMs = 0 }: TestState): TestAdvice {
  if (outcome === 'unreachable' || outcome === 'failed' || outcome === 'blocked') return outcome;
  if (lossShare > LOSS_SHARE_MAX) return 'lossy';
  if (rttMs > RTT_MS_MAX) return 'slow';
  return outcome;
}

export class ConnectionTest {
  readonly state = signal<TestState>({ stage: 'server' });
  private signalling: SignallingConnection | null = null;
  private media: Media | null = null;
  private tone: TestTone | null = null;
  private producer: MediaProducer | null = null;
  private consumer: MediaConsumer | null = null;
  private readonly connected = new Map<Direction, () => void>();
  private isStopped = false;

  constructor(private readonly options: ConnectionTestOptions) {}

  /** Runs the test once. The result is in `state`. */
  async run(): Promise<void> {
    const outcome = await this.outcome();
    this.close();
    if (!this.isStopped) this.state.value = { ...this.state.value, stage: 'done', outcome };
  }

  /** Ends the test early; nothing is shown any more. */
  stop(): void {
    this.isStopped = true;
    this.close();
  }

  private async outcome(): Promise<TestOutcome> {
    let isReached = false;
    try {
      const { iceServers = [] } = await within(SERVER_MS_MAX, this.connect());
      const startedAt = performance.now();
      const { rtpCapabilities } = await this.request('getRouterRtpCapabilities', {});
      isReached = true;
      this.state.value = { stage: 'media', serverMs: performance.now() - startedAt };
      await this.request('testConnection', {});
      this.media = await this.options.createMedia(rtpCapabilities, this.transportSignalling());
      const bothConnected = this.bothConnected();
      await this.sendAndReceive(iceServers);
      if (!(await succeedsWithin(MEDIA_MS_MAX, bothConnected))) return 'blocked';
      this.state.value = { ...this.state.value, stage: 'measuring' };
      return await this.measure();
    } catch {
      return isReached ? 'failed' : 'unreachable';
    }
  }

  private connect(): Promise<Connected> {
    return new Promise((resolve, reject) => {
      this.signalling = this.options.createSignalling({
        onConnected: resolve,
        onDisconnected: () => reject(new ConnectionLost('not connected')),
        onNotice: () => undefined,
        onResumed: () => undefined,
        onSilence: () => undefined,
        onWake: () => undefined,
      });
      this.signalling.open();
    });
  }

  private async sendAndReceive(iceServers: IceServer[]): Promise<void> {
    const media = this.openedMedia();
    const created = await Promise.all((['send', 'recv'] as const).map((direction) => this.request('createTransport', { direction })));
    for (const transport of created) media.openTransport(transport, iceServers);
    const port = portOf(created[0]);
    this.state.value = { ...this.state.value, ...(port !== undefined && { port }) };
    this.tone = this.options.createTone();
    this.producer = await media.produce({ source: 'mic', track: this.tone.track, content: 'camera' }, 'vp8');
    const consumed = await this.request('consume', { producerId: this.producer.id, rtpCapabilities: media.capabilities });
    this.consumer = await media.consume(consumed);
    await this.request('resumeConsumer', { consumerId: this.consumer.consumerId });
  }

  /** Measures both ways, and returns the one that media takes. */
  private async measure(): Promise<TestOutcome> {
    await sleep(SETTLE_MS);
    const before = await this.readTracks();
    await sleep(MEASURE_MS);
    const after = await this.readTracks();
    const sent = figuresOf(before.sent, after.sent);
    const received = figuresOf(before.received, after.received);
    const isLossKnown = after.sent.packets - before.sent.packets >= PACKETS_MIN;
    this.state.value = {
      ...this.state.value,
      ...rttOf(sent, received),
      ...(isLossKnown && { lossShare: Math.max(sent?.lossShare ?? 0, received?.lossShare ?? 0) }),
    };
    return after.sent.route ?? after.received.route ?? 'failed';
  }

  private async readTracks(): Promise<{ sent: TrackReading; received: TrackReading }> {
    const reports = await this.openedMedia().reports();
    const [sent] = readSent(reports).values();
    const [received] = readReceived(reports).values();
    if (!sent || !received) throw new Error('nothing is sent or received');
    return { sent, received };
  }

  private bothConnected(): Promise<unknown> {
    const directions: Direction[] = ['send', 'recv'];
    return Promise.all(directions.map((direction) => new Promise<void>((resolve) => this.connected.set(direction, resolve))));
  }

  private transportSignalling(): TransportSignalling {
    return {
      connect: (transportId, dtlsParameters) =>
        void this.request('connectTransport', { transportId, dtlsParameters }).catch(() => undefined),
      produce: async (transportId, kind, rtpParameters, source) =>
        (await this.request('produce', { transportId, kind, rtpParameters, source })).producerId,
      onConnectionState: (_, direction, state) => {
        if (state === 'connected') this.connected.get(direction)?.();
      },
    };
  }

  private get request(): SignallingConnection['request'] {
    const { signalling } = this;
    if (!signalling) throw new ConnectionLost('closed');
    return (type, payload) => signalling.request(type, payload);
  }

  private openedMedia(): Media {
    if (!this.media) throw new ConnectionLost('closed');
    return this.media;
  }

  private close(): void {
    this.consumer?.close();
    this.producer?.close();
    this.media?.close();
    this.tone?.stop();
    this.signalling?.close();
    [this.consumer, this.producer, this.media, this.tone, this.signalling] = [null, null, null, null, null];
  }
}

/** Returns the first port for media of the server. */
function portOf(created: TransportCreated | undefined): number | undefined {
  const port = created?.iceCandidates[0]?.port;
  return typeof port === 'number' ? port : undefined;
}

function rttOf(sent: TrackFigures | null, received: TrackFigures | null): Pick<TestState, 'rttMs'> {
  const rttMs = sent?.rttMs ?? received?.rttMs;
  return rttMs === undefined ? {} : { rttMs };
}

async function succeedsWithin(ms: number, work: Promise<unknown>): Promise<boolean> {
  return within(ms, work).then(
    () => true,
    () => false,
  );
}
