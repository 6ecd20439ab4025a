/**
 * Fixture for calls in real browsers: starts servers, opens pages, and checks what each
 * participant receives. Video counts when frames are decoded and the picture is not
 * black; audio counts by the energy of the decoded sound. That an element exists
 * proves nothing.
 */
import { expect, test as base, type Browser, type BrowserContext, type Locator, type Page } from '@playwright/test';
import { launch, type BrowserName } from './browsers';
import { recordPolicyViolations } from './policyViolations';
import { FreezableLine } from './freezableLine';
import { Relay } from './relay';
import { relayPage, type RelayPort } from './relayedCandidates';
import { Server, freePort, sleep, type Environment } from './server';

export { expect };

/** Tag of tests that check no media. They may run in parallel; see playwright.config.ts. */
export const NO_MEDIA = { tag: '@no-media' };
/** Tag of tests that take long and show what others show in part: `make nightly` runs them. */
export const NIGHTLY = { tag: '@nightly' };

export const ROOM = 'tea-at-four';
/** For tests with several cameras: small pictures need little of the machine. */
export const SMALL_CAMERA = { options: { width: '320' } };

/** Frame rate, over the window below, from which video counts as received. */
const FPS_MIN = 15;
const FPS_WINDOW_MS = 2_000;
/** A black picture has a mean brightness of 0 to 2 (of 255); the fake camera's is far higher. */
const BRIGHTNESS_MIN = 12;
/** The fake microphone beeps; the energy of two seconds is far above this. */
const ENERGY_MIN = 1e-5;
const ENERGY_WINDOW_MS = 2_000;
/** Interval at which decoded frames are read while their times are recorded. */
const DECODED_SAMPLE_MS = 20;
/** Interval at which counters are read within a window. */
const SAMPLE_MS = 200;
/** How long media may take to start. */
const START_MS_MAX = 20_000;
/** Camera width in pixels: tests must not be limited by the encoder. */
const CAMERA_WIDTH = 640;
/** The same where no media is checked. */
const CAMERA_WIDTH_WITHOUT_MEDIA = 160;

interface ArrivalOptions {
  browser?: BrowserName;
  /** A running Chromium in place of the one that pages share. */
  inBrowser?: Browser;
  room?: string;
  /** Further options of the page's URL. */
  options?: Record<string, string>;
  viewport?: { width: number; height: number };
  colorScheme?: 'light' | 'dark';
  /** Language of the browser, for Chromium; English by default. */
  locale?: string;
  /** URL of the page without options; by default that of the server. */
  base?: string;
  /** UDP port of the loopback address at which the page reaches the server, through a relay; or where to ask for it. */
  relayPort?: number | RelayPort;
}

/** One counter of a receiver. */
interface CounterSample {
  /** Id of the track. */
  id: string;
  value: number;
  atMs: number;
}

/** A selected candidate pair of a page. */
interface CandidatePair {
  localProtocol: string;
  remotePort: number;
}

/** What protects the media of a transport. */
export interface Encryption {
  /** Version number of DTLS, in hexadecimal digits. */
  tlsVersion: string;
  dtlsCipher: string;
  srtpCipher: string;
}

/** A participant with a browser page. */
export class CallParticipant {
  constructor(
    readonly name: string,
    readonly page: Page,
    private readonly context: BrowserContext,
    /** Whether the test may check media; false for tests tagged `@no-media`. */
    private readonly mayCheckMedia: boolean,
  ) {}

  /** Types the name and clicks the page's join button; does not wait for the call. */
  async requestJoin(): Promise<void> {
    await this.page.getByLabel('Your name').fill(this.name);
    await this.page.getByRole('button', { name: 'Join now' }).click();
  }

  async join(): Promise<void> {
    await this.requestJoin();
    await this.expectConnected();
  }

  async expectConnected(): Promise<void> {
    await expect(this.page.getByRole('status', { name: 'Connection' })).toHaveText('Connected');
  }

  tileOf(other: CallParticipant): Locator {
    return this.page.getByRole('figure', { name: other.name, exact: true });
  }

  async expectVideoFrom(other: CallParticipant): Promise<void> {
    await expect(this.tileOf(other), `${this.name} has a tile of ${other.name}`).toBeVisible();
    await this.expectMovingVideo(`${other.name}'s camera`);
    expect(await this.brightness(other), `${this.name}'s picture of ${other.name}`).toBeGreaterThan(BRIGHTNESS_MIN);
  }

  /** Waits until the video element with this label plays at a call's frame rate. */
  async expectMovingVideo(label: string): Promise<void> {
    await expect
      .poll(() => this.framesPerSecond(label), { timeout: START_MS_MAX, message: `${this.name} receives ${label}` })
      .toBeGreaterThanOrEqual(FPS_MIN);
  }

  async expectAudioFrom(other: CallParticipant): Promise<void> {
    await expect
      .poll(() => this.energyFrom(other), { timeout: START_MS_MAX, message: `${this.name} hears ${other.name}` })
      .toBeGreaterThan(ENERGY_MIN);
  }

  async expectSilenceFrom(other: CallParticipant): Promise<void> {
    await expect
      .poll(() => this.energyFrom(other), { timeout: 8_000, message: `${this.name} hears nothing from ${other.name}` })
      .toBeLessThan(ENERGY_MIN / 100);
  }

  async expectNoVideoFrom(other: CallParticipant): Promise<void> {
    await expect(this.tileOf(other)).toBeVisible();
    await expect(this.tileOf(other).getByLabel(`${other.name}'s camera`)).toHaveCount(0);
  }

  async expectTileGone(other: CallParticipant, withinMs: number): Promise<void> {
    await expect(this.tileOf(other), `${this.name}'s tile of ${other.name}`).toHaveCount(0, { timeout: withinMs });
  }

  async mute(): Promise<void> {
    await this.page.getByRole('button', { name: 'Mute microphone' }).click();
  }

  async unmute(): Promise<void> {
    await this.page.getByRole('button', { name: 'Unmute microphone' }).click();
  }

  /** Loads the page again with a microphone that hears a loud tone instead of the beeps of the fake one. */
  async replaceMicrophoneByTone(): Promise<void> {
    await this.page.addInitScript(() => {
      const devices = navigator.mediaDevices;
      const capture = devices.getUserMedia.bind(devices);
      devices.getUserMedia = async (constraints) => {
        const stream = await capture(constraints);
        for (const track of stream.getAudioTracks()) {
          const context = new AudioContext();
          const [oscillator, output] = [context.createOscillator(), context.createMediaStreamDestination()];
          oscillator.connect(output);
          oscillator.start();
          stream.removeTrack(track);
          for (const tone of output.stream.getAudioTracks()) stream.addTrack(tone);
          document.addEventListener('click', () => void context.resume());
        }
        return stream;
      };
    });
    await this.page.reload();
  }

  async turnCameraOff(): Promise<void> {
    await this.page.getByRole('button', { name: 'Turn camera off' }).click();
  }

  async turnCameraOn(): Promise<void> {
    await this.page.getByRole('button', { name: 'Turn camera on' }).click();
  }

  async leave(): Promise<void> {
    await this.page.getByRole('button', { name: 'Leave' }).click();
    await expect(this.page.getByRole('heading', { name: 'You left the meeting' })).toBeVisible();
  }

  /** Opens this participant's page once more, in another tab of the same browser. */
  async openTab(): Promise<Page> {
    const tab = await this.context.newPage();
    await tab.goto(this.page.url());
    return tab;
  }

  async closeWindow(): Promise<void> {
    await this.context.close();
  }

  async reload(): Promise<void> {
    await this.page.reload();
  }

  /** Starts recording alerts, however briefly they are shown; the returned function gives their texts. */
  async recordAlerts(): Promise<() => Promise<string[]>> {
    return this.recordTexts('[role=alert]');
  }

  /** Starts recording notifications, after those that are shown now; the returned function gives their texts. */
  async recordNotifications(): Promise<() => Promise<string[]>> {
    await expect(this.page.getByRole('log').getByRole('listitem')).toHaveCount(0);
    return this.recordTexts('.notification');
  }

  private async recordTexts(selector: string): Promise<() => Promise<string[]>> {
    await this.page.evaluate((shown) => {
      window.recordedTexts = [];
      const record = () => {
        for (const element of document.querySelectorAll(shown)) window.recordedTexts.push(element.textContent ?? '');
      };
      new MutationObserver(record).observe(document.body, { childList: true, subtree: true });
    }, selector);
    return () => this.page.evaluate(() => window.recordedTexts);
  }

  /** Makes the page show its link as text by forbidding access to the clipboard. */
  async forbidClipboard(): Promise<void> {
    await this.page.evaluate(() => {
      navigator.clipboard.writeText = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
    });
  }

  /** Returns the MIME type of the other's video, as `video/VP9`. */
  async codecOf(other: CallParticipant): Promise<string> {
    return this.videoOf(other).evaluate(async (element) => {
      const stream = (element as HTMLVideoElement).srcObject as MediaStream;
      const id = stream.getTracks()[0]?.id;
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

  /** Returns the transport protocols of the selected candidate pairs, without duplicates. */
  async mediaProtocols(): Promise<string[]> {
    return [...new Set((await this.selectedPairs()).map(({ localProtocol }) => localProtocol))];
  }

  /** Returns the DTLS version and the ciphers of each connected transport. */
  encryption(): Promise<Encryption[]> {
    return this.page.evaluate(async () => {
      const found: Encryption[] = [];
      for (const connection of window.connections) {
        for (const report of (await connection.getStats()).values()) {
          if (report.type !== 'transport' || report.dtlsState !== 'connected') continue;
          found.push({ tlsVersion: report.tlsVersion, dtlsCipher: report.dtlsCipher, srtpCipher: report.srtpCipher });
        }
      }
      return found;
    });
  }

  /** Returns the server port that this participant's media uses. */
  async mediaPort(): Promise<number> {
    const port = async () => (await this.selectedPairs())[0]?.remotePort ?? 0;
    await expect.poll(port, { message: `${this.name}'s media is connected` }).toBeGreaterThan(0);
    return port();
  }

  /**
   * Prepares the emulation of packet loss (Chromium only); call it before media starts. Returns a
   * function that sets the share of media packets to lose, in percent.
   */
  async emulatePacketLoss(): Promise<(percent: number) => Promise<void>> {
    const session = await this.context.newCDPSession(this.page);
    await session.send('Network.enable');
    const setPacketLoss = async (packetLoss: number) => {
      const rate = { downloadThroughput: 1e8, uploadThroughput: 1e8 };
      await session.send('Network.emulateNetworkConditions', { offline: false, latency: 1, ...rate, packetLoss });
    };
    await setPacketLoss(0);
    return setPacketLoss;
  }

  /** Waits until the other's video is decoded on a connection made after the first `connectionsBefore`. */
  async expectVideoAfterRejoin(other: CallParticipant, connectionsBefore: number, withinMs: number): Promise<void> {
    const frames = async () => {
      const sample = await this.counter(`${other.name}'s camera`, 'video', 'framesDecoded', connectionsBefore);
      return sample?.value ?? 0;
    };
    await expect
      .poll(frames, { timeout: withinMs, intervals: [50], message: `${this.name} sees ${other.name} again` })
      .toBeGreaterThan(0);
  }

  connectionCount(): Promise<number> {
    return this.page.evaluate(() => window.connections.length);
  }

  /** Starts measuring; the returned function gives the longest time in ms without a new frame of the other. */
  async measureFrameGaps(other: CallParticipant): Promise<() => Promise<number>> {
    const video = this.videoOf(other);
    await video.evaluate((element) => {
      const player = element as HTMLVideoElement;
      let last = performance.now();
      const onFrame = (now: number) => {
        player.dataset.gap = String(Math.max(Number(player.dataset.gap ?? 0), now - last));
        last = now;
        player.requestVideoFrameCallback(onFrame);
      };
      player.requestVideoFrameCallback(onFrame);
    });
    return () => video.evaluate((element) => Number((element as HTMLVideoElement).dataset.gap));
  }

  /**
   * Records when frames of the other are decoded, until the page is closed. The returned function
   * gives the times in ms since an instant of `Date.now()` at which new frames were decoded.
   */
  async recordDecodedFrames(other: CallParticipant): Promise<(sinceMs: number) => Promise<number[]>> {
    if (!this.mayCheckMedia) throw new Error('a test tagged @no-media checks media');
    const label = `${other.name}'s camera`;
    await this.page.evaluate(
      async ([name, intervalMs]) => {
        window.decodedAt = [];
        let last = { id: '', frames: 0 };
        const read = async () => {
          const element = document.querySelector(`[aria-label="${name}"]`) as HTMLMediaElement | null;
          const id = (element?.srcObject as MediaStream | null)?.getVideoTracks()[0]?.id;
          for (const connection of window.connections) {
            const receiver = connection.getReceivers().find(({ track }) => track.id === id);
            if (!receiver || id === undefined) continue;
            for (const report of (await receiver.getStats()).values()) {
              if (report.type !== 'inbound-rtp') continue;
              const frames = Number(report.framesDecoded ?? 0);
              // A rejoin makes a new receiver, whose counter starts again.
              if (frames > (id === last.id ? last.frames : 0)) window.decodedAt.push(Date.now());
              last = { id, frames };
            }
          }
          setTimeout(() => void read(), intervalMs);
        };
        await read();
      },
      [label, DECODED_SAMPLE_MS] as const,
    );
    return (sinceMs) =>
      this.page.evaluate((since) => window.decodedAt.map((atMs) => atMs - since).filter((ms) => ms >= 0), sinceMs);
  }

  /** Waits until the jitter buffer has emitted this many video frames of the other. */
  async expectEmittedFrames(other: CallParticipant, framesMin: number): Promise<void> {
    const emitted = async () =>
      (await this.counter(`${other.name}'s camera`, 'video', 'jitterBufferEmittedCount'))?.value ?? 0;
    await expect
      .poll(emitted, { timeout: START_MS_MAX, message: `${this.name}'s jitter buffer` })
      .toBeGreaterThanOrEqual(framesMin);
  }

  /** Returns the mean time in ms that the other's media spent in the jitter buffer during the window. */
  async jitterBufferDelay(other: CallParticipant, kind: 'audio' | 'video', windowMs: number): Promise<number> {
    const label = kind === 'audio' ? `${other.name}'s voice` : `${other.name}'s camera`;
    const read = async () => {
      const delay = await this.counter(label, kind, 'jitterBufferDelay');
      const count = await this.counter(label, kind, 'jitterBufferEmittedCount');
      return { seconds: delay?.value ?? 0, count: count?.value ?? 0 };
    };
    const before = await read();
    await sleep(windowMs);
    const after = await read();
    return ((after.seconds - before.seconds) * 1_000) / (after.count - before.count);
  }

  /** Frames decoded per second; measures at most one window, less when the frames needed came earlier. */
  private async framesPerSecond(label: string): Promise<number> {
    const enough = (FPS_MIN * FPS_WINDOW_MS) / 1_000;
    const growth = await this.growth(label, 'video', 'framesDecoded', FPS_WINDOW_MS, enough);
    return growth === null ? 0 : (growth.value * 1_000) / growth.durationMs;
  }

  private async energyFrom(other: CallParticipant): Promise<number> {
    const growth = await this.growth(`${other.name}'s voice`, 'audio', 'totalAudioEnergy', ENERGY_WINDOW_MS, ENERGY_MIN);
    return growth?.value ?? 0;
  }

  /** Growth of a counter over a window; ends early once it exceeds `enough`. Null without a receiver. */
  private async growth(
    label: string,
    kind: 'audio' | 'video',
    name: string,
    windowMs: number,
    enough: number,
  ): Promise<{ value: number; durationMs: number } | null> {
    if (!this.mayCheckMedia) throw new Error('a test tagged @no-media checks media');
    const before = await this.counter(label, kind, name);
    if (before === null) return null;
    const deadline = Date.now() + windowMs;
    for (;;) {
      await sleep(SAMPLE_MS);
      const after = await this.counter(label, kind, name);
      if (after === null || after.id !== before.id) return null;
      const value = after.value - before.value;
      if (value > enough || Date.now() >= deadline) return { value, durationMs: after.atMs - before.atMs };
    }
  }

  /** Returns the mean brightness of the other's picture as displayed, 0 to 255. */
  private async brightness(other: CallParticipant): Promise<number> {
    return this.videoOf(other).evaluate((element) => {
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

  /** Reads one counter of the receiver behind the element with this label; null while there is none. */
  private async counter(
    label: string,
    kind: 'audio' | 'video',
    name: string,
    connectionsBefore = 0,
  ): Promise<CounterSample | null> {
    const element = this.page.getByLabel(label, { exact: true });
    if ((await element.count()) === 0) return null;
    return element.evaluate(async (media, [trackKind, counter, skipped]) => {
      const stream = (media as HTMLMediaElement).srcObject as MediaStream | null;
      const id = stream?.getTracks().find((track) => track.kind === trackKind)?.id;
      for (const connection of window.connections.slice(skipped)) {
        const receiver = connection.getReceivers().find(({ track }) => track.id === id);
        if (!receiver || id === undefined) continue;
        for (const report of (await receiver.getStats()).values()) {
          if (report.type === 'inbound-rtp') return { id, value: Number(report[counter] ?? 0), atMs: report.timestamp };
        }
      }
      return null;
    }, [kind, name, connectionsBefore] as const);
  }

  private selectedPairs(): Promise<CandidatePair[]> {
    return this.page.evaluate(async () => {
      const pairs: CandidatePair[] = [];
      for (const connection of window.connections) {
        const stats = await connection.getStats();
        for (const report of stats.values()) {
          if (report.type !== 'candidate-pair' || report.state !== 'succeeded' || !report.nominated) continue;
          const localProtocol = String(stats.get(report.localCandidateId)?.protocol);
          pairs.push({ localProtocol, remotePort: Number(stats.get(report.remoteCandidateId)?.port) });
        }
      }
      return pairs;
    });
  }

  private videoOf(other: CallParticipant): Locator {
    return this.page.getByLabel(`${other.name}'s camera`, { exact: true });
  }
}

declare global {
  interface Window {
    /** Every RTCPeerConnection of the page, recorded for the tests. */
    connections: RTCPeerConnection[];
    /** Texts of alerts or notifications, as recorded for the tests. */
    recordedTexts: string[];
    /** Times at which new frames of one receiver were decoded, recorded by `recordDecodedFrames`. */
    decodedAt: number[];
  }
}

/** Servers and participants of one test. */
export class Call {
  private readonly contexts: BrowserContext[] = [];
  private readonly servers: Server[] = [];
  private readonly relays: Relay[] = [];
  private readonly lines: FreezableLine[] = [];
  /** What the Content Security Policy forbade in the pages of this test. */
  readonly policyViolations: string[] = [];

  constructor(
    private readonly browsers: Map<BrowserName, Promise<Browser>>,
    private readonly mayCheckMedia: boolean,
  ) {}

  /** Starts the server that pages opened from now on use. Without it, the first page starts one. */
  async startServer(environment: Environment = {}, binary?: string): Promise<Server> {
    const server = await Server.start(environment, binary);
    this.servers.push(server);
    return server;
  }

  /** Starts a server with one media port, and this number of relays to that port. */
  async startServerBehindRelays(count: number): Promise<Relay[]> {
    const { mediaPort } = await this.startServerOnOnePort({});
    for (let i = 0; i < count; i += 1) this.relays.push(await Relay.start(mediaPort));
    return this.relays;
  }

  /** Starts a server with one media port, and a relay to that port. */
  async startServerBehindRelay(environment: Environment): Promise<{ server: Server; relay: Relay }> {
    const { server, mediaPort } = await this.startServerOnOnePort(environment);
    const relay = await Relay.start(mediaPort);
    this.relays.push(relay);
    return { server, relay };
  }

  /** Starts a server with lines of their own for one participant: for pages and signalling, and for media. */
  async startServerBehindLine(environment: Environment = {}): Promise<{ server: Server; line: FreezableLine; relay: Relay }> {
    const { server, relay } = await this.startServerBehindRelay(environment);
    const line = await FreezableLine.start(server.port);
    this.lines.push(line);
    return { server, line, relay };
  }

  private async startServerOnOnePort(environment: Environment): Promise<{ server: Server; mediaPort: number }> {
    const mediaPort = await freePort();
    const server = await this.startServer({
      WATERSMEET_RTC_PORT: String(mediaPort),
      WATERSMEET_SHARDS: '1',
      MEDIASOUP_LISTEN_IP: '127.0.0.1',
      ...environment,
    });
    return { server, mediaPort };
  }

  /** Opens the lobby of a room in a new browser context; without a room, the landing page. */
  async open(name: string, arrival: ArrivalOptions = {}): Promise<CallParticipant> {
    const base = arrival.base ?? (this.servers.at(-1) ?? (await this.startServer())).url;
    const browserName = arrival.browser ?? 'chromium';
    const browser = arrival.inBrowser ?? (await this.browser(browserName));
    const context = await browser.newContext({
      viewport: arrival.viewport ?? { width: 960, height: 600 },
      ...(arrival.colorScheme && { colorScheme: arrival.colorScheme }),
      ...(browserName !== 'firefox' && { locale: arrival.locale ?? 'en-US' }),
    });
    this.contexts.push(context);
    await recordPolicyViolations(context, this.policyViolations);
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
    const { relayPort } = arrival;
    if (relayPort !== undefined) await relayPage(page, typeof relayPort === 'number' ? async () => relayPort : relayPort);
    const width = this.mayCheckMedia ? CAMERA_WIDTH : CAMERA_WIDTH_WITHOUT_MEDIA;
    const query = new URLSearchParams({ width: String(width), ...arrival.options });
    if (arrival.room) query.set('room', arrival.room);
    const url = new URL(base);
    for (const [name, value] of query) url.searchParams.set(name, value);
    await page.goto(url.href);
    return new CallParticipant(name, page, context, this.mayCheckMedia);
  }

  /** Opens a page and joins the room. */
  async join(name: string, arrival: ArrivalOptions = {}): Promise<CallParticipant> {
    const participant = await this.open(name, { room: ROOM, ...arrival });
    await participant.join();
    return participant;
  }

  async close(): Promise<void> {
    for (const context of this.contexts) await context.close();
    for (const relay of this.relays) relay.stop();
    for (const line of this.lines) line.stop();
    for (const server of this.servers) await server.stop();
  }

  serverOutput(): string {
    return this.servers.map(({ output }) => output).join('\n');
  }

  /** Returns the browser of this test worker, which pages share. */
  browser(name: BrowserName): Promise<Browser> {
    const running = this.browsers.get(name) ?? launch(name, this.mayCheckMedia);
    this.browsers.set(name, running);
    return running;
  }
}

/** Every participant receives the audio and video of every other one. */
export async function expectAllReceiveAll(participants: CallParticipant[]): Promise<void> {
  const checks = participants.flatMap((receiver) =>
    participants
      .filter((sender) => sender !== receiver)
      .flatMap((sender) => [receiver.expectVideoFrom(sender), receiver.expectAudioFrom(sender)]),
  );
  await Promise.all(checks);
}

export const test = base.extend<{ call: Call }, { browsers: Map<BrowserName, Promise<Browser>> }>({
  browsers: [
    async ({}, use) => {
      const browsers = new Map<BrowserName, Promise<Browser>>();
      await use(browsers);
      for (const browser of browsers.values()) await (await browser).close();
    },
    { scope: 'worker' },
  ],
  call: async ({ browsers }, use, info) => {
    const call = new Call(browsers, !info.tags.includes(NO_MEDIA.tag));
    await use(call);
    await call.close();
    if (info.status !== info.expectedStatus) {
      await info.attach('server', { body: call.serverOutput(), contentType: 'text/plain' });
    }
    expect(call.policyViolations).toEqual([]);
  },
});
