/**
 * People in calls, as sentences: `ana.sees(ben)`, `ben.hearsNothingFrom(ana)`.
 * What a person sees is judged by frames decoded and by the picture drawn, what
 * they hear by the energy of the decoded sound; that an element exists proves
 * nothing.
 */
import { expect, test as base, type Browser, type BrowserContext, type Locator, type Page } from '@playwright/test';
import { launch, type BrowserName } from './browsers';
import { Server, sleep, type Environment } from './server';

export { expect };

/** What "sees" means. */
const FPS_MIN = 15;
const FPS_WINDOW_MS = 2_000;
/** A black picture has a mean brightness of 0 to 2 (of 255); made-up cameras have far more. */
const BRIGHTNESS_MIN = 12;
/** Made-up microphones beep; over two seconds that is far above this. */
const ENERGY_MIN = 1e-5;
const ENERGY_WINDOW_MS = 2_000;
/** How long media may take to start. */
const START_MS_MAX = 20_000;
/** Small pictures: a test must not measure the encoder. */
const CAMERA_WIDTH = 640;

interface Arrival {
  in?: BrowserName;
  room?: string;
  /** Further options of the page's address. */
  options?: Record<string, string>;
  viewport?: { width: number; height: number };
}

export class Person {
  constructor(
    readonly name: string,
    readonly page: Page,
    private readonly context: BrowserContext,
  ) {}

  /** Types the name and joins, by the page's own button. */
  async joins(): Promise<void> {
    await this.page.getByLabel('Your name').fill(this.name);
    await this.page.getByRole('button', { name: 'Join now' }).click();
    await this.isConnected();
  }

  async isConnected(): Promise<void> {
    await expect(this.page.getByRole('status', { name: 'Connection' })).toHaveText('Connected');
  }

  tileOf(other: Person): Locator {
    return this.page.getByRole('figure', { name: other.name, exact: true });
  }

  async sees(other: Person): Promise<void> {
    await expect(this.tileOf(other), `${this.name} has a tile of ${other.name}`).toBeVisible();
    await this.seesMoving(`${other.name}'s camera`);
    expect(await this.brightness(other), `${this.name}'s picture of ${other.name}`).toBeGreaterThan(BRIGHTNESS_MIN);
  }

  /** The video element of this label plays at a call's frame rate. */
  async seesMoving(label: string): Promise<void> {
    await expect
      .poll(() => this.framesPerSecond(label), { timeout: START_MS_MAX, message: `${this.name} sees ${label} move` })
      .toBeGreaterThanOrEqual(FPS_MIN);
  }

  async hears(other: Person): Promise<void> {
    await expect
      .poll(() => this.energyFrom(other), { timeout: START_MS_MAX, message: `${this.name} hears ${other.name}` })
      .toBeGreaterThan(ENERGY_MIN);
  }

  async hearsNothingFrom(other: Person): Promise<void> {
    await expect
      .poll(() => this.energyFrom(other), { timeout: 8_000, message: `${this.name} hears nothing from ${other.name}` })
      .toBeLessThan(ENERGY_MIN / 100);
  }

  async seesNoPictureOf(other: Person): Promise<void> {
    await expect(this.tileOf(other)).toBeVisible();
    await expect(this.tileOf(other).getByLabel(`${other.name}'s camera`)).toHaveCount(0);
  }

  /** The other's tile is gone within this time. */
  async losesSightOf(other: Person, withinMs: number): Promise<void> {
    await expect(this.tileOf(other), `${this.name}'s tile of ${other.name}`).toHaveCount(0, { timeout: withinMs });
  }

  async mutes(): Promise<void> {
    await this.page.getByRole('button', { name: 'Mute microphone' }).click();
  }

  async unmutes(): Promise<void> {
    await this.page.getByRole('button', { name: 'Unmute microphone' }).click();
  }

  async turnsCameraOff(): Promise<void> {
    await this.page.getByRole('button', { name: 'Turn camera off' }).click();
  }

  async turnsCameraOn(): Promise<void> {
    await this.page.getByRole('button', { name: 'Turn camera on' }).click();
  }

  async leaves(): Promise<void> {
    await this.page.getByRole('button', { name: 'Leave' }).click();
    await expect(this.page.getByRole('heading', { name: 'You left the meeting' })).toBeVisible();
  }

  async closesTheWindow(): Promise<void> {
    await this.context.close();
  }

  async reloads(): Promise<void> {
    await this.page.reload();
  }

  /** Frames decoded per second for the video element of this label, over a short window. */
  async framesPerSecond(label: string): Promise<number> {
    const before = await this.stat(label, 'video', 'framesDecoded');
    await sleep(FPS_WINDOW_MS);
    const after = await this.stat(label, 'video', 'framesDecoded');
    if (before === null || after === null || after.id !== before.id) return 0;
    return ((after.value - before.value) * 1_000) / (after.atMs - before.atMs);
  }

  /** How the other's video was coded, as `video/VP9`. */
  async codecOf(other: Person): Promise<string> {
    return this.pictureOf(other).evaluate(async (element) => {
      const wanted = (element as HTMLVideoElement).srcObject as MediaStream;
      const id = wanted.getTracks()[0]?.id;
      for (const connection of window.connections) {
        const receiver = connection.getReceivers().find(({ track }) => track.id === id);
        if (!receiver) continue;
        const stats = await receiver.getStats();
        for (const report of stats.values()) {
          if (report.type === 'inbound-rtp') return String(stats.get(report.codecId)?.mimeType);
        }
      }
      return 'none';
    });
  }

  /** The transport protocol that media arrives by. */
  async mediaProtocol(): Promise<string[]> {
    return this.page.evaluate(async () => {
      const protocols = new Set<string>();
      for (const connection of window.connections) {
        const stats = await connection.getStats();
        for (const report of stats.values()) {
          if (report.type !== 'candidate-pair' || report.state !== 'succeeded' || !report.nominated) continue;
          protocols.add(String(stats.get(report.localCandidateId)?.protocol));
        }
      }
      return [...protocols];
    });
  }

  /**
   * A hand on this person's network, laid on before media starts (Chromium only): it decides what
   * share of the media's packets is lost, in percent.
   */
  async networkLoss(): Promise<(percent: number) => Promise<void>> {
    const session = await this.context.newCDPSession(this.page);
    await session.send('Network.enable');
    const lose = async (packetLoss: number) => {
      const rate = { downloadThroughput: 1e8, uploadThroughput: 1e8 };
      await session.send('Network.emulateNetworkConditions', { offline: false, latency: 1, ...rate, packetLoss });
    };
    await lose(0);
    return lose;
  }

  /** The server's port that this person's media goes to. */
  async mediaPort(): Promise<number> {
    const port = () =>
      this.page.evaluate(async () => {
        for (const connection of window.connections) {
          const stats = await connection.getStats();
          for (const report of stats.values()) {
            if (report.type !== 'candidate-pair' || report.state !== 'succeeded' || !report.nominated) continue;
            return Number(stats.get(report.remoteCandidateId)?.port);
          }
        }
        return 0;
      });
    await expect.poll(port, { message: `${this.name}'s media is connected` }).toBeGreaterThan(0);
    return port();
  }

  /** Joins anew, by itself, and sees the other through connections made since `before`. */
  async isBackSeeing(other: Person, before: number, withinMs: number): Promise<void> {
    const fresh = async () => {
      const frames = await this.stat(`${other.name}'s camera`, 'video', 'framesDecoded', before);
      return frames?.value ?? 0;
    };
    await expect
      .poll(fresh, { timeout: withinMs, intervals: [50], message: `${this.name} is back, seeing ${other.name}` })
      .toBeGreaterThan(0);
  }

  connectionsMade(): Promise<number> {
    return this.page.evaluate(() => window.connections.length);
  }

  /** From now on, notes the longest time without a new frame of the other; asked, it tells. */
  async watchesForGaps(other: Person): Promise<() => Promise<number>> {
    const picture = this.pictureOf(other);
    await picture.evaluate((element) => {
      const video = element as HTMLVideoElement;
      let last = performance.now();
      const shown = (now: number) => {
        video.dataset.gap = String(Math.max(Number(video.dataset.gap ?? 0), now - last));
        last = now;
        video.requestVideoFrameCallback(shown);
      };
      video.requestVideoFrameCallback(shown);
    });
    return () => picture.evaluate((element) => Number((element as HTMLVideoElement).dataset.gap));
  }

  /**
   * Milliseconds that what arrives from the other lies in the jitter buffer, the mean of a window.
   */
  async jitterBufferDelay(other: Person, kind: 'audio' | 'video', windowMs: number): Promise<number> {
    const label = kind === 'audio' ? `${other.name}'s voice` : `${other.name}'s camera`;
    const read = async () => {
      const delay = await this.stat(label, kind, 'jitterBufferDelay');
      const count = await this.stat(label, kind, 'jitterBufferEmittedCount');
      return { seconds: delay?.value ?? 0, count: count?.value ?? 0 };
    };
    const before = await read();
    await sleep(windowMs);
    const after = await read();
    return ((after.seconds - before.seconds) * 1_000) / (after.count - before.count);
  }

  private async energyFrom(other: Person): Promise<number> {
    const label = `${other.name}'s voice`;
    const before = await this.stat(label, 'audio', 'totalAudioEnergy');
    await sleep(ENERGY_WINDOW_MS);
    const after = await this.stat(label, 'audio', 'totalAudioEnergy');
    return before === null || after === null || after.id !== before.id ? 0 : after.value - before.value;
  }

  /** Mean brightness of the other's picture as it is on the screen. */
  private async brightness(other: Person): Promise<number> {
    return this.pictureOf(other).evaluate((element) => {
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [32, 18];
      const context = canvas.getContext('2d');
      if (!context) return 0;
      context.drawImage(element as HTMLVideoElement, 0, 0, 32, 18);
      const { data } = context.getImageData(0, 0, 32, 18);
      let sum = 0;
      for (let i = 0; i < data.length; i += 4) sum += ((data[i] ?? 0) + (data[i + 1] ?? 0) + (data[i + 2] ?? 0)) / 3;
      return sum / (data.length / 4);
    });
  }

  /** One number of the receiver behind the element of this label, or nothing while there is none. */
  private async stat(
    label: string,
    kind: 'audio' | 'video',
    name: string,
    connectionsBefore = 0,
  ): Promise<{ id: string; value: number; atMs: number } | null> {
    const element = this.page.getByLabel(label, { exact: true });
    if ((await element.count()) === 0) return null;
    return element.evaluate(async (media, [wantedKind, wanted, skipped]) => {
      const stream = (media as HTMLMediaElement).srcObject as MediaStream | null;
      const id = stream?.getTracks().find((track) => track.kind === wantedKind)?.id;
      for (const connection of window.connections.slice(skipped)) {
        const receiver = connection.getReceivers().find(({ track }) => track.id === id);
        if (!receiver || id === undefined) continue;
        for (const report of (await receiver.getStats()).values()) {
          if (report.type === 'inbound-rtp') return { id, value: Number(report[wanted] ?? 0), atMs: report.timestamp };
        }
      }
      return null;
    }, [kind, name, connectionsBefore] as const);
  }

  private pictureOf(other: Person): Locator {
    return this.page.getByLabel(`${other.name}'s camera`, { exact: true });
  }
}

declare global {
  interface Window {
    /** Every connection the page has made, kept by the tests. */
    connections: RTCPeerConnection[];
  }
}

export class People {
  private readonly contexts: BrowserContext[] = [];
  private readonly servers: Server[] = [];

  constructor(private readonly browsers: Map<BrowserName, Promise<Browser>>) {}

  /**
   * Starts the server that those who come from now on come to; without it, the first arrival starts
   * one with its defaults.
   */
  async meetAt(environment: Environment, binary?: string): Promise<Server> {
    const server = await Server.start(environment, binary);
    this.servers.push(server);
    return server;
  }

  /** A person with a browser at the preview of a room (or, without one, at the landing page). */
  async comes(name: string, arrival: Arrival = {}): Promise<Person> {
    const server = this.servers.at(-1) ?? (await this.meetAt({}));
    const browser = await this.browser(arrival.in ?? 'chromium');
    const context = await browser.newContext({ viewport: arrival.viewport ?? { width: 960, height: 600 } });
    this.contexts.push(context);
    const page = await context.newPage();
    await page.addInitScript(() => {
      window.connections = [];
      const Original = window.RTCPeerConnection;
      window.RTCPeerConnection = class extends Original {
        constructor(configuration?: RTCConfiguration) {
          super(configuration);
          window.connections.push(this);
        }
      };
    });
    const query = new URLSearchParams({ width: String(CAMERA_WIDTH), ...arrival.options });
    if (arrival.room) query.set('room', arrival.room);
    await page.goto(`${server.url}/?${query}`);
    return new Person(name, page, context);
  }

  /** A person in the room. */
  async joins(name: string, arrival: Arrival = {}): Promise<Person> {
    const person = await this.comes(name, { room: 'tea-at-four', ...arrival });
    await person.joins();
    return person;
  }

  async goHome(): Promise<void> {
    for (const context of this.contexts) await context.close();
    for (const server of this.servers) await server.stop();
  }

  serverOutput(): string {
    return this.servers.map(({ output }) => output).join('\n');
  }

  private browser(name: BrowserName): Promise<Browser> {
    const running = this.browsers.get(name) ?? launch(name);
    this.browsers.set(name, running);
    return running;
  }
}

export const test = base.extend<{ people: People }, { browsers: Map<BrowserName, Promise<Browser>> }>({
  browsers: [
    async ({}, use) => {
      const browsers = new Map<BrowserName, Promise<Browser>>();
      await use(browsers);
      for (const browser of browsers.values()) await (await browser).close();
    },
    { scope: 'worker' },
  ],
  people: async ({ browsers }, use, info) => {
    const people = new People(browsers);
    await use(people);
    await people.goHome();
    if (info.status !== info.expectedStatus) {
      await info.attach('server', { body: people.serverOutput(), contentType: 'text/plain' });
    }
  },
});
