/** Webhooks, verified and read by LiveKit's own server SDK. */
import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TrackSource, TrackType, WebhookReceiver, type WebhookEvent } from 'livekit-server-sdk';
import { NO_MEDIA, ROOM, expect, test } from './callFixture';

const KEY = 'app-key';

/** A program that follows rooms with LiveKit's SDK. */
class Follower {
  readonly events: WebhookEvent[] = [];
  /** Requests that the SDK did not accept. */
  readonly refused: unknown[] = [];
  private readonly secret = randomBytes(32).toString('hex');
  private readonly sdk = new WebhookReceiver(KEY, this.secret);
  private readonly listener: Server;

  private constructor() {
    this.listener = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        void this.sdk
          .receive(Buffer.concat(chunks).toString(), request.headers.authorization)
          .then((event) => this.events.push(event), (error: unknown) => this.refused.push(error))
          .then(() => response.writeHead(200).end());
      });
    });
  }

  static async start(): Promise<Follower> {
    const follower = new Follower();
    await new Promise<void>((resolve) => follower.listener.listen(0, '127.0.0.1', resolve));
    return follower;
  }

  /** Value of the setting `webhooks`. */
  get setting(): string {
    const { port } = this.listener.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/`;
    return JSON.stringify([{ url, key: KEY, secret: this.secret, private_targets: true }]);
  }

  /** Names of the events so far. */
  get names(): string[] {
    return this.events.map(({ event }) => event);
  }

  stop(): void {
    this.listener.closeAllConnections();
    this.listener.close();
  }
}

test("LiveKit's server SDK accepts what happens in a call", NO_MEDIA, async ({ call }) => {
  const follower = await Follower.start();
  try {
    await call.startServer({ WATERSMEET_WEBHOOKS: follower.setting });
    const ana = await call.join('ana');
    await expect.poll(() => follower.names).toEqual(['room_started', 'participant_joined', 'track_published', 'track_published']);
    await ana.page.getByRole('button', { name: 'Leave' }).click();
    await expect.poll(() => follower.names.slice(4)).toEqual([
      'track_unpublished',
      'track_unpublished',
      'participant_left',
      'room_finished',
    ]);
    expect(follower.refused).toEqual([]);
    const [started, joined, ...tracks] = follower.events;
    expect(started?.room?.name).toBe(ROOM);
    expect(Number(started?.room?.creationTime)).toBeGreaterThan(1_700_000_000);
    expect(joined?.participant?.name).toBe('ana');
    expect(joined?.participant?.attributes['dialect']).toBe('native');
    expect(joined?.room?.sid).toBe(started?.room?.sid);
    const published = tracks.slice(0, 2).map(({ track }) => [track?.type, track?.source]);
    expect(published.sort()).toEqual([
      [TrackType.AUDIO, TrackSource.MICROPHONE],
      [TrackType.VIDEO, TrackSource.CAMERA],
    ]);
    expect(new Set(follower.events.map(({ id }) => id)).size).toBe(8);
    expect(Number(started?.createdAt)).toBeGreaterThan(1_700_000_000);
  } finally {
    follower.stop();
  }
});
