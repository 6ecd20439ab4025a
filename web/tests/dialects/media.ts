/**
 * The media half that all small clients share: the made-up camera and
 * microphone, and what has arrived of others. It knows no dialect.
 */
import type { types } from 'mediasoup-client';
import type { Camera, ClientOptions, Heard, Kind, Remote, Sent } from './client';

/** Three encodings, lowest first, as the clients that send simulcast have them. */
export function simulcast(scalabilityMode: string): types.RtpEncodingParameters[] {
  return [100_000, 300_000, 900_000].map((maxBitrate, at) => ({ rid: `r${at}`, maxBitrate, scalabilityMode }));
}

/** One camera track and one microphone track. */
export async function capture(camera: Camera): Promise<Record<Kind, MediaStreamTrack>> {
  const { width, height, frameRate } = camera;
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width, height, frameRate }, audio: true });
  const [video] = stream.getVideoTracks();
  const [audio] = stream.getAudioTracks();
  if (!video || !audio) throw new Error('the browser has no made-up camera or microphone');
  return { audio, video };
}

/** The consumers of one client, by producer. */
export class Receptions {
  private readonly received = new Map<string, { consumer: types.Consumer; owner: string; player: HTMLAudioElement }>();

  add(consumer: types.Consumer, owner = ''): void {
    // A browser decodes sound only when something plays it.
    const player = new Audio();
    player.srcObject = new MediaStream([consumer.track]);
    if (consumer.kind === 'audio') void player.play();
    this.received.set(consumer.producerId, { consumer, owner, player });
  }

  ofProducer(producerId: string): void {
    this.close((reception) => reception.consumer.producerId === producerId);
  }

  ofConsumer(consumerId: string): void {
    this.close((reception) => reception.consumer.id === consumerId);
  }

  ofOwner(owner: string): void {
    this.close((reception) => reception.owner === owner);
  }

  all(): void {
    this.close(() => true);
  }

  async remotes(): Promise<Remote[]> {
    const remotes = [];
    for (const { consumer } of [...this.received.values()]) {
      const { id, producerId, kind } = consumer;
      const remote: Remote = { id, producerId, kind, framesDecoded: 0, energy: 0 };
      for (const report of consumer.closed ? [] : (await consumer.getStats()).values()) {
        if (report.type !== 'inbound-rtp') continue;
        remote.framesDecoded = Number(report.framesDecoded ?? 0);
        remote.energy = Number(report.totalAudioEnergy ?? 0);
      }
      remotes.push(remote);
    }
    return remotes;
  }

  private close(whose: (reception: { consumer: types.Consumer; owner: string }) => boolean): void {
    for (const [producerId, reception] of this.received) {
      if (!whose(reception)) continue;
      reception.consumer.close();
      reception.player.srcObject = null;
      this.received.delete(producerId);
    }
  }
}

/** What one client sends. */
export class Publications {
  private readonly sent = new Map<Sent, types.Producer>();

  constructor(private readonly options: ClientOptions) {}

  async publish(transport: types.Transport, encodings?: types.RtpEncodingParameters[]): Promise<Record<Kind, string>> {
    const tracks = await capture(this.options.camera);
    const ids = { audio: '', video: '' };
    for (const kind of this.options.order) {
      const producer = await transport.produce({ track: tracks[kind], ...(kind === 'video' && encodings && { encodings }) });
      this.sent.set(kind, producer);
      ids[kind] = producer.id;
    }
    return ids;
  }

  /** A second camera in the place of a screen, which a browser without a window has none of. */
  async share(transport: types.Transport): Promise<string> {
    const { video: track } = await capture(this.options.camera);
    const producer = await transport.produce({ track, appData: { screen: true } });
    this.sent.set('screen', producer);
    return producer.id;
  }

  /** Ends one, here, and tells which it was. */
  close(sent: Sent): string {
    const producer = this.sent.get(sent);
    if (!producer) throw new Error(`no ${sent} is sent`);
    producer.close();
    this.sent.delete(sent);
    return producer.id;
  }

  all(): void {
    for (const sent of [...this.sent.keys()]) this.close(sent);
  }
}

/** What a client was told and what went wrong in it. */
export class Diary {
  readonly log: Heard[] = [];
  readonly failures: string[] = [];
  private stay = 0;

  hear(event: string, payload: unknown): void {
    this.log.push({ event, payload });
  }

  /** Follows work that nobody waits for. What is under way when the client leaves may fail. */
  watch(work: Promise<unknown>): void {
    const { stay } = this;
    work.catch((error: unknown) => {
      if (stay === this.stay) this.failures.push(error instanceof Error ? error.message : String(error));
    });
  }

  /** The client leaves the room it is in. */
  leave(): void {
    this.stay += 1;
  }
}

/** A promise and the hands that keep or break it. */
export interface Pending<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}
