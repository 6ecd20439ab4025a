/**
 * Visitors: people who come with a small client of some dialect. All visitors
 * of a test share one page, because two cores carry one browser and not six; each
 * has a connection, a camera and transports of its own. What they see and hear is
 * judged by frames decoded and by the energy of the decoded sound.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { Page } from '@playwright/test';
import { launch } from '../browsers';
import { expect, test as base } from '../callFixture';
import { Server, type Environment } from '../server';
import { Bundles, VERSIONS, type Version } from './clientBundles';
import type { Camera, Client, ClientModule, Dialect, Heard, Remote, Sent } from './client';
import { WORDS } from './expectedEvents';

export { expect };

/** What a server is expected to say: an event with at least these values. */
export interface Word {
  event: string;
  payload: Record<string, unknown>;
}

/** Small and slow: tests must not measure the encoder. */
const CAMERA: Camera = { width: 320, height: 180, frameRate: 10 };
/** Frames that must be decoded, and sound that must be heard, before media counts as flowing. */
const FRAMES_MIN = 5;
const ENERGY_MIN = 1e-5;
const START_MS_MAX = 30_000;
const WORD_MS_MAX = 5_000;
const TOKEN_LIFE_S = 3_600;

/** Somebody who sends something. */
export interface Publisher {
  readonly name: string;
  readonly published: Published;
}

/** How a visitor comes, where it matters. */
interface Coming {
  version?: Version;
  camera?: Camera | undefined;
  pollingOnly?: boolean;
  namespace?: string;
  /** What it was given to be let in with; a meetlite user has a token anyway. */
  token?: string;
  /** Whose identity it claims, where a client has one of its own; absent means its name. */
  as?: string;
}

type Published = Partial<Record<Sent, string>>;
type Method = 'join' | 'publish' | 'share' | 'remotes' | 'closeProducer' | 'leave';
/** What one visitor has of a producer: enough of it, or how little. */
type Received = Map<string, Remote>;

declare global {
  interface Window {
    /** The clients on this page, by their visitors' names. */
    clients: Record<string, Client>;
  }
}

export class Visitor implements Publisher {
  /** The producers it has now; none before it publishes. */
  published: Published = {};
  peerId = '';

  constructor(
    readonly name: string,
    readonly dialect: Dialect,
    private readonly page: Page,
  ) {}

  async enters(room: string | null): Promise<void> {
    this.published = {};
    await this.does('join', room, this.name);
    this.peerId = await this.page.evaluate((name) => window.clients[name]?.peerId ?? '', this.name);
  }

  async publishes(): Promise<void> {
    this.published = (await this.does('publish')) as Published;
  }

  async shares(): Promise<void> {
    this.published.screen = (await this.does('share')) as string;
  }

  async removes(sent: Sent): Promise<void> {
    await this.does('closeProducer', sent);
    delete this.published[sent];
  }

  async hangsUp(): Promise<void> {
    await this.does('leave');
  }

  async carrier(): Promise<string> {
    return this.page.evaluate((name) => window.clients[name]?.carrier ?? 'none', this.name);
  }

  /** Everything the server said to this client on its own, from a mark on. */
  async heard(since = 0): Promise<Heard[]> {
    const log = await this.page.evaluate((name) => window.clients[name]?.log, this.name);
    return (log ?? []).slice(since);
  }

  /** To be given to `heard` and `hearsThat`: words from now on. */
  async mark(): Promise<number> {
    return (await this.heard()).length;
  }

  /** The server says all of this, once each, since the mark. */
  async hearsThat(words: Word[], since: number): Promise<void> {
    for (const { event, payload } of words) {
      const said = async () =>
        (await this.heard(since)).filter((heard) => heard.event === event).map((heard) => heard.payload);
      await expect
        .poll(said, { timeout: WORD_MS_MAX, message: `${this.name} (${this.dialect}) hears ${event}` })
        .toContainEqual(expect.objectContaining(payload));
      const times = (await said()).filter((one) => matches(one, payload));
      expect(times, `${this.name} hears ${event} once`).toHaveLength(1);
    }
  }

  async remotes(): Promise<Remote[]> {
    return (await this.does('remotes')) as Remote[];
  }

  /** Nothing of these producers is left in this client. */
  async hasLost(producerIds: string[]): Promise<void> {
    const left = async () =>
      (await this.remotes()).map(({ producerId }) => producerId).filter((id) => producerIds.includes(id));
    await expect
      .poll(left, { timeout: WORD_MS_MAX, message: `${this.name} (${this.dialect}) has lost what was closed` })
      .toEqual([]);
  }

  async failures(): Promise<string[]> {
    return this.page.evaluate((name) => [...(window.clients[name]?.failures ?? ['no such client'])], this.name);
  }

  private does(method: Method, ...given: (string | null)[]): Promise<unknown> {
    return this.page
      .evaluate(
        ([name, wanted, values]) => {
          const client = window.clients[name] as unknown as Record<Method, (...values: unknown[]) => Promise<unknown>>;
          return client[wanted](...values);
        },
        [this.name, method, given] as const,
      )
      .catch((error: Error) => {
        throw new Error(`${this.name} (${this.dialect}) cannot ${method}: ${error.message}`);
      });
  }
}

export class Visitors {
  readonly secret = randomBytes(32).toString('hex');
  private readonly all: Visitor[] = [];
  private server: Server | null = null;

  constructor(
    private readonly page: Page,
    private readonly bundles: Bundles,
  ) {}

  async meetAt(environment: Environment = {}): Promise<void> {
    this.server = await Server.start({ JWT_SECRET: this.secret, ...environment });
  }

  /** Meets at a server that somebody else has started, with this secret. */
  meetIn(server: Server): void {
    this.server = server;
  }

  /** Where they meet. */
  get url(): string {
    return this.server?.url ?? '';
  }

  /** A visitor with a client of this dialect, not yet connected. */
  async comes(name: string, dialect: Dialect, coming: Coming = {}): Promise<Visitor> {
    if (!this.server) await this.meetAt();
    const { version = 'newest', camera = CAMERA, pollingOnly = false, namespace = null, as: peerId = name } = coming;
    const token = coming.token ?? (dialect === 'meetlite' ? this.userToken(peerId) : null);
    await this.page.addScriptTag({ url: await this.bundles.script(dialect, version) });
    const { order } = VERSIONS[version];
    const options = { url: this.url, camera, order, peerId, namespace, pollingOnly, token };
    await this.page.evaluate(
      ([global, who, given]) => {
        const { DialectClient } = (window as unknown as Record<string, ClientModule>)[global] as ClientModule;
        window.clients[who] = new DialectClient(given);
      },
      [Bundles.global(dialect, version), name, options] as const,
    );
    const visitor = new Visitor(name, dialect, this.page);
    this.all.push(visitor);
    return visitor;
  }

  /** Every one of these sees and hears every other one, and these others. */
  async allMeet(people: Visitor[], others: Publisher[] = []): Promise<void> {
    const everybody: Publisher[] = [...people, ...others];
    const first = new Map<Visitor, Received>(people.map((person) => [person, new Map()]));
    const missing = async () => {
      const lacks = people.map(async (person) => {
        const now: Received = new Map((await person.remotes()).map((remote) => [remote.producerId, remote]));
        const senders = everybody.filter((other) => other !== person);
        return senders.flatMap((other) => stillMissing(person, other, now, first.get(person) ?? new Map()));
      });
      return (await Promise.all(lacks)).flat();
    };
    await expect.poll(missing, { timeout: START_MS_MAX, intervals: [500], message: 'all see and hear all' }).toEqual([]);
    for (const person of people) {
      const wanted = everybody.flatMap((other) => (other === person ? [] : Object.values(other.published)));
      const got = (await person.remotes()).map(({ producerId }) => producerId);
      expect(got.sort(), `${person.name} (${person.dialect}) receives each producer once`).toEqual(wanted.sort());
    }
  }

  /** Somebody goes; each of the others is told in its own words and has nothing left of them. */
  async goes(gone: Visitor, others: Visitor[], way: () => Promise<void> = () => gone.hangsUp()): Promise<void> {
    const { published } = gone;
    await this.learnNameOf(gone);
    const words = others.map((other) => WORDS[other.dialect].left(gone));
    await this.areTold(others, words, Object.values(published), way);
  }

  /** Somebody takes one producer away and stays. */
  async removes(owner: Visitor, sent: Sent, others: Visitor[]): Promise<void> {
    const producerId = owner.published[sent] ?? '';
    await this.learnNameOf(owner);
    const words = others.map((other) => WORDS[other.dialect].closed(owner, producerId));
    await this.areTold(others, words, [producerId], () => owner.removes(sent));
  }

  /** No client has anything to complain of, nor has the server. */
  async nobodyFailed(): Promise<void> {
    expect(this.serverOutput()).not.toMatch(/ (WARN|ERROR) |panicked/);
    for (const person of this.all) expect(await person.failures(), `${person.name} (${person.dialect})`).toEqual([]);
  }

  async goHome(): Promise<void> {
    await this.server?.stop();
  }

  serverOutput(): string {
    return this.server?.output ?? '';
  }

  /** What every client was told and complained of. */
  async diaries(): Promise<string> {
    const clients = await this.page.evaluate(() =>
      Object.entries(window.clients).map(([name, { log, failures }]) => ({ name, failures, log })),
    );
    return clients
      .map(({ name, failures, log }) => [name, ...failures.map((text) => `! ${text}`), ...log.map(line)].join('\n'))
      .join('\n\n');
  }

  /** A protoo client is not told what the server calls it: others know, by what it sends. */
  private async learnNameOf(person: Visitor): Promise<void> {
    if (person.dialect !== 'protoo') return;
    const sent = Object.values(person.published);
    for (const other of this.all) {
      for (const { payload } of await other.heard()) {
        const { producerId, peerId } = payload as { producerId?: string; peerId?: string };
        if (producerId !== undefined && peerId !== undefined && sent.includes(producerId)) person.peerId = peerId;
      }
    }
  }

  private async areTold(others: Visitor[], words: Word[][], lost: string[], act: () => Promise<void>): Promise<void> {
    const marks = await Promise.all(others.map((other) => other.mark()));
    await act();
    const told = others.map(async (other, at) => {
      await other.hearsThat(words[at] ?? [], marks[at] ?? 0);
      await other.hasLost(lost);
    });
    await Promise.all(told);
  }

  private userToken(userId: string): string {
    const nowS = Math.floor(Date.now() / 1_000);
    return signed({ userId, email: `${userId}@example.org`, iat: nowS, exp: nowS + TOKEN_LIFE_S }, this.secret);
  }
}

function line({ event, payload }: Heard): string {
  return `${event} ${JSON.stringify(payload)}`.slice(0, 400);
}

function matches(given: unknown, wanted: Record<string, unknown>): boolean {
  const values = given as Record<string, unknown>;
  return Object.entries(wanted).every(([name, value]) => values[name] === value);
}

/** What of the other does not flow yet, in words. */
function stillMissing(person: Visitor, other: Publisher, now: Received, first: Received): string[] {
  const lacks: string[] = [];
  for (const [sent, producerId] of Object.entries(other.published)) {
    const remote = now.get(producerId);
    const before = first.get(producerId);
    if (remote && !before) first.set(producerId, remote);
    const frames = (remote?.framesDecoded ?? 0) - (before?.framesDecoded ?? 0);
    const energy = (remote?.energy ?? 0) - (before?.energy ?? 0);
    const flows = before !== undefined && (sent === 'audio' ? energy >= ENERGY_MIN : frames >= FRAMES_MIN);
    if (!flows) lacks.push(`${person.name} ← ${other.name} ${sent}: ${remote ? 'stands still' : 'nothing'}`);
  }
  return lacks;
}

/** A JSON web token, HS256. */
function signed(claims: object, secret: string): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const body = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
}

export const test = base.extend<{ visitors: Visitors }, { bundles: Bundles }>({
  bundles: [
    async ({}, use) => {
      const bundles = new Bundles();
      await bundles.open();
      await use(bundles);
      await bundles.close();
    },
    { scope: 'worker' },
  ],
  visitors: async ({ browsers, bundles }, use, info) => {
    const running = browsers.get('chromium') ?? launch('chromium');
    browsers.set('chromium', running);
    const context = await (await running).newContext({ permissions: ['camera', 'microphone'] });
    const page = await context.newPage();
    await page.goto(bundles.url);
    await page.evaluate(() => (window.clients = {}));
    const visitors = new Visitors(page, bundles);
    await use(visitors);
    if (info.status !== info.expectedStatus) {
      await info.attach('server', { body: visitors.serverOutput(), contentType: 'text/plain' });
      await info.attach('clients', { body: await visitors.diaries(), contentType: 'text/plain' });
    }
    await context.close();
    await visitors.goHome();
  },
});
