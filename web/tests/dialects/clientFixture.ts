/**
 * Fixture for calls between test clients of the dialects. All clients of a test run on one page,
 * because two cores carry one browser and not six; each has its own connection, camera and
 * transports. Received media is judged by decoded frames and by the energy of decoded audio.
 */
import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Browser, Page } from '@playwright/test';
import { launch } from '../browsers';
import { expect, test as base } from '../callFixture';
import { signToken } from '../jwt';
import type { InboundReport } from '../lineQuality';
import { Server, type Environment } from '../server';
import type {
  Camera,
  Client,
  ClientModule,
  ClientOptions,
  ConsumerStats,
  Dialect,
  ExpectedEvent,
  ProducerSource,
  PublishedIds,
  ServerEvent,
} from './client';
import { ClientBundles, VERSIONS, type Version } from './clientBundles';
import { EXPECTED_EVENTS } from './expectedEvents';

export { expect };

/** Small and slow: tests must not be limited by the encoder. */
const CAMERA: Camera = { width: 320, height: 180, frameRate: 10 };
/** Growth of these counters from which media counts as received. */
const FRAMES_MIN = 5;
const ENERGY_MIN = 1e-5;
const START_MS_MAX = 30_000;
const EVENT_MS_MAX = 5_000;
/**
 * Settings of the server. All clients decode and encode in one browser on two cores: one that lacks processor time
 * looks like a slow line, whose video would be paused.
 */
export const SERVER: Environment = { WATERSMEET_BANDWIDTH_ADAPTATION: 'false' };

/** A participant who sends media. */
export interface Sender {
  readonly name: string;
  readonly published: PublishedIds;
}

/** How a client connects, where it differs from the default. */
interface ClientSetup {
  version?: Version;
  camera?: Camera | undefined;
  pollingOnly?: boolean;
  namespace?: string;
  firstEvent?: string;
  /** Token to join with; meetlite clients get a user token by default. */
  token?: string;
  /** Identity where the client chooses it; its name by default. */
  userId?: string;
}

type Method =
  | 'join'
  | 'publish'
  | 'shareScreen'
  | 'receive'
  | 'consumerStats'
  | 'inboundReports'
  | 'closeProducer'
  | 'leave';
/** One participant's consumers, by producer id. */
type ConsumersByProducer = Map<string, ConsumerStats>;

declare global {
  interface Window {
    /** The clients on this page, by the names of their participants. */
    clients: Record<string, Client>;
  }
}

/** A participant with a test client. */
export class DialectParticipant implements Sender {
  /** Ids of its present producers. */
  published: PublishedIds = {};
  peerId = '';
  /** Closed producers of which its dialect has not told it. */
  readonly untoldClosures = new Set<string>();

  constructor(
    readonly name: string,
    readonly dialect: Dialect,
    private readonly page: Page,
  ) {}

  async join(room: string | null): Promise<void> {
    this.published = {};
    await this.invoke('join', room, this.name);
    this.peerId = await this.page.evaluate((name) => window.clients[name]?.peerId ?? '', this.name);
  }

  async publish(): Promise<void> {
    this.published = (await this.invoke('publish')) as PublishedIds;
  }

  async shareScreen(): Promise<void> {
    this.published.screen = (await this.invoke('shareScreen')) as string;
  }

  /** Receives what the server chooses; returns the producer's id. */
  async receive(): Promise<string> {
    return (await this.invoke('receive')) as string;
  }

  /** Waits until this client decodes pictures of a producer. */
  async expectPictures(producerId: string): Promise<void> {
    const decoded = async () =>
      (await this.consumerStats()).find((it) => it.producerId === producerId)?.framesDecoded ?? 0;
    const message = `${this.name} (${this.dialect}) decodes ${producerId}`;
    await expect.poll(decoded, { timeout: START_MS_MAX, message }).toBeGreaterThan(FRAMES_MIN);
  }

  async closeProducer(source: ProducerSource): Promise<void> {
    await this.invoke('closeProducer', source);
    delete this.published[source];
  }

  async leave(): Promise<void> {
    await this.invoke('leave');
  }

  async transportName(): Promise<string> {
    return this.page.evaluate((name) => window.clients[name]?.transportName ?? 'none', this.name);
  }

  /** Returns the server's events to this client, from this index on. */
  async events(since = 0): Promise<ServerEvent[]> {
    const events = await this.page.evaluate((name) => window.clients[name]?.events, this.name);
    return (events ?? []).slice(since);
  }

  async eventCount(): Promise<number> {
    return (await this.events()).length;
  }

  /** Waits for all of these events; each must occur exactly once from the index `since` on. */
  async expectEvents(expected: ExpectedEvent[], since: number): Promise<void> {
    for (const { event, payload } of expected) {
      const received = async () =>
        (await this.events(since)).filter((it) => it.event === event).map((it) => it.payload);
      await expect
        .poll(received, { timeout: EVENT_MS_MAX, message: `${this.name} (${this.dialect}) receives ${event}` })
        .toContainEqual(expect.objectContaining(payload));
      const matching = (await received()).filter((it) => matches(it, payload));
      expect(matching, `${this.name} receives ${event} once`).toHaveLength(1);
    }
  }

  async consumerStats(): Promise<ConsumerStats[]> {
    return (await this.invoke('consumerStats')) as ConsumerStats[];
  }

  async inboundReports(): Promise<InboundReport[]> {
    return (await this.invoke('inboundReports')) as InboundReport[];
  }

  /** Waits until this client has no consumer of these producers. */
  async expectNoConsumersOf(producerIds: string[]): Promise<void> {
    const remaining = async () =>
      (await this.consumerStats()).map(({ producerId }) => producerId).filter((id) => producerIds.includes(id));
    await expect
      .poll(remaining, { timeout: EVENT_MS_MAX, message: `${this.name} (${this.dialect}) closes the consumers` })
      .toEqual([]);
  }

  async failures(): Promise<string[]> {
    return this.page.evaluate((name) => [...(window.clients[name]?.failures ?? ['no such client'])], this.name);
  }

  private invoke(method: Method, ...args: (string | null)[]): Promise<unknown> {
    return this.page
      .evaluate(
        ([name, called, values]) => {
          const client = window.clients[name] as unknown as Record<Method, (...values: unknown[]) => Promise<unknown>>;
          return client[called](...values);
        },
        [this.name, method, args] as const,
      )
      .catch((error: Error) => {
        throw new Error(`${this.name} (${this.dialect}): ${method} failed: ${error.message}`);
      });
  }
}

/** Server and participants of one test. */
export class DialectCall {
  readonly secret = randomBytes(32).toString('hex');
  private readonly participants: DialectParticipant[] = [];
  private server: Server | null = null;

  constructor(
    private readonly page: Page,
    private readonly bundles: ClientBundles,
  ) {}

  async startServer(environment: Environment = {}): Promise<void> {
    this.server = await Server.start({ ...SERVER, JWT_SECRET: this.secret, ...environment });
  }

  /** Uses a server that was started elsewhere with `secret`. */
  useServer(server: Server): void {
    this.server = server;
  }

  /** URL of the server. */
  get url(): string {
    return this.server?.url ?? '';
  }

  /** Creates a client of this dialect, not connected yet. */
  async addParticipant(name: string, dialect: Dialect, setup: ClientSetup = {}): Promise<DialectParticipant> {
    if (!this.server) await this.startServer();
    const { version = 'newest', camera = CAMERA, pollingOnly = false, namespace = null, userId: peerId = name } = setup;
    const firstEvent = setup.firstEvent ?? null;
    const token = setup.token ?? (dialect === 'meetlite' ? userToken(peerId, this.secret) : null);
    const options = { url: this.url, camera, peerId, namespace, firstEvent, pollingOnly, token };
    const participant = await createClient(this.page, this.bundles, name, dialect, options, version);
    this.participants.push(participant);
    return participant;
  }

  /** Waits until each participant receives all media of the others and of these further senders. */
  async expectAllReceiveAll(participants: DialectParticipant[], furtherSenders: Sender[] = []): Promise<void> {
    const senders: Sender[] = [...participants, ...furtherSenders];
    const baseline = new Map<DialectParticipant, ConsumersByProducer>(participants.map((it) => [it, new Map()]));
    const missing = async () => {
      const perReceiver = participants.map(async (receiver) => {
        const stats = await receiver.consumerStats();
        const now: ConsumersByProducer = new Map(stats.map((it) => [it.producerId, it]));
        const others = senders.filter((sender) => sender !== receiver);
        return others.flatMap((sender) => missingMedia(receiver, sender, now, baseline.get(receiver) ?? new Map()));
      });
      return (await Promise.all(perReceiver)).flat();
    };
    await expect
      .poll(missing, { timeout: START_MS_MAX, intervals: [250], message: 'all participants receive all others' })
      .toEqual([]);
    for (const receiver of participants) {
      const wanted = senders.flatMap((sender) => (sender === receiver ? [] : Object.values(sender.published)));
      const consumers = (await receiver.consumerStats()).map(({ producerId }) => producerId);
      const consumed = consumers.filter((producerId) => !receiver.untoldClosures.has(producerId));
      const message = `${receiver.name} (${receiver.dialect}) consumes each producer once`;
      expect(consumed.sort(), message).toEqual(wanted.sort());
    }
  }

  /** Lets a participant leave; waits until each of the others is told and has closed its consumers. */
  async leaveAndExpectNotified(
    leaving: DialectParticipant,
    others: DialectParticipant[],
    leave: () => Promise<void> = () => leaving.leave(),
  ): Promise<void> {
    const { published } = leaving;
    const expected = others.map((other) => EXPECTED_EVENTS[other.dialect].participantLeft(leaving));
    await this.expectNotified(others, expected, Object.values(published), leave);
  }

  /**
   * Lets a participant close one producer; waits until each of the others whose dialect has an event for it is told
   * and has closed its consumer.
   */
  async closeProducerAndExpectNotified(
    owner: DialectParticipant,
    source: ProducerSource,
    others: DialectParticipant[],
  ): Promise<void> {
    const producerId = owner.published[source] ?? '';
    const expected = others.map((other) => EXPECTED_EVENTS[other.dialect].producerClosed(owner, producerId));
    // A native client without request ids has no event for this, and keeps its consumer.
    const isNative = (other: DialectParticipant) => other.dialect === 'native';
    others.filter(isNative).forEach((other) => other.untoldClosures.add(producerId));
    await this.expectNotified(others, expected, [producerId], () => owner.closeProducer(source), isNative);
  }

  /** Neither a client nor the server has reported an error. */
  async expectNoFailures(): Promise<void> {
    expect(this.serverOutput()).not.toMatch(/ (WARN|ERROR) |panicked/);
    for (const participant of this.participants) {
      expect(await participant.failures(), `${participant.name} (${participant.dialect})`).toEqual([]);
    }
  }

  async close(): Promise<void> {
    await this.server?.stop();
  }

  serverOutput(): string {
    return this.server?.output ?? '';
  }

  /** Returns the events and failures of all clients as text. */
  async clientLogs(): Promise<string> {
    const clients = await this.page.evaluate(() =>
      Object.entries(window.clients).map(([name, { events, failures }]) => ({ name, failures, events })),
    );
    return clients
      .map(({ name, failures, events }) => [name, ...failures.map((it) => `! ${it}`), ...events.map(formatEvent)].join('\n'))
      .join('\n\n');
  }

  private async expectNotified(
    others: DialectParticipant[],
    expected: ExpectedEvent[][],
    closedProducerIds: string[],
    act: () => Promise<void>,
    keepsConsumers: (other: DialectParticipant) => boolean = () => false,
  ): Promise<void> {
    const counts = await Promise.all(others.map((other) => other.eventCount()));
    await act();
    const checks = others.map(async (other, index) => {
      await other.expectEvents(expected[index] ?? [], counts[index] ?? 0);
      if (!keepsConsumers(other)) await other.expectNoConsumersOf(closedProducerIds);
    });
    await Promise.all(checks);
  }
}

/** Returns the token of a meetlite client. */
export function userToken(userId: string, secret: string): string {
  return signToken({ userId, email: `${userId}@example.org` }, secret);
}

/** Opens an empty page on which clients can be created. Servers may have certificates that they signed themselves. */
export async function openClientPage(
  browser: Browser,
  bundles: ClientBundles,
  prepare: (page: Page) => Promise<void> = async () => {},
): Promise<Page> {
  const context = await browser.newContext({ permissions: ['camera', 'microphone'], ignoreHTTPSErrors: true });
  const page = await context.newPage();
  await prepare(page);
  await page.goto(bundles.url);
  await page.evaluate(() => (window.clients = {}));
  return page;
}

/** Creates a client on a page, not connected yet. */
export async function createClient(
  page: Page,
  bundles: ClientBundles,
  name: string,
  dialect: Dialect,
  given: Partial<ClientOptions> & Pick<ClientOptions, 'url' | 'camera'>,
  version: Version = 'newest',
): Promise<DialectParticipant> {
  await page.addScriptTag({ url: await bundles.script(dialect, version) });
  const options: ClientOptions = {
    encodings: null,
    awaitsReceiveTransport: false,
    produceOrder: VERSIONS[version].produceOrder,
    peerId: name,
    namespace: null,
    firstEvent: null,
    pollingOnly: false,
    token: null,
    ...given,
  };
  await page.evaluate(
    ([global, participant, values]) => {
      const { DialectClient } = (window as unknown as Record<string, ClientModule>)[global] as ClientModule;
      window.clients[participant] = new DialectClient(values);
    },
    [ClientBundles.globalName(dialect, version), name, options] as const,
  );
  return new DialectParticipant(name, dialect, page);
}

function formatEvent({ event, payload }: ServerEvent): string {
  return `${event} ${JSON.stringify(payload)}`.slice(0, 400);
}

function matches(actual: unknown, expected: Record<string, unknown>): boolean {
  const values = actual as Record<string, unknown>;
  return Object.entries(expected).every(([name, value]) => isDeepStrictEqual(values[name], value));
}

/** Describes the sender's media that the receiver does not receive; adds new consumers to the baseline. */
function missingMedia(
  receiver: DialectParticipant,
  sender: Sender,
  now: ConsumersByProducer,
  baseline: ConsumersByProducer,
): string[] {
  const missing: string[] = [];
  for (const [source, producerId] of Object.entries(sender.published)) {
    const stats = now.get(producerId);
    const before = baseline.get(producerId);
    if (stats && !before) baseline.set(producerId, stats);
    const frames = (stats?.framesDecoded ?? 0) - (before?.framesDecoded ?? 0);
    const energy = (stats?.audioEnergy ?? 0) - (before?.audioEnergy ?? 0);
    const flows = before !== undefined && (source === 'audio' ? energy >= ENERGY_MIN : frames >= FRAMES_MIN);
    if (!flows) missing.push(`${receiver.name} ← ${sender.name} ${source}: ${stats ? 'no progress' : 'no consumer'}`);
  }
  return missing;
}

export const test = base.extend<{ dialectCall: DialectCall }, { bundles: ClientBundles }>({
  bundles: [
    async ({}, use) => {
      const bundles = new ClientBundles();
      await bundles.open();
      await use(bundles);
      await bundles.close();
    },
    { scope: 'worker' },
  ],
  dialectCall: async ({ browsers, bundles }, use, info) => {
    const running = browsers.get('chromium') ?? launch('chromium', true);
    browsers.set('chromium', running);
    const page = await openClientPage(await running, bundles);
    const call = new DialectCall(page, bundles);
    await use(call);
    if (info.status !== info.expectedStatus) {
      await info.attach('server', { body: call.serverOutput(), contentType: 'text/plain' });
      await info.attach('clients', { body: await call.clientLogs(), contentType: 'text/plain' });
    }
    await page.context().close();
    await call.close();
  },
});
