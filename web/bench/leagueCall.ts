/** Calls of one publisher and one viewer that `make league` measures: with test clients, or with Watersmeet's page. */
import { randomBytes } from 'node:crypto';
import type { Browser, Page } from '@playwright/test';
import { simulcastEncodings } from '../src/encodings';
import type { Call } from '../tests/callFixture';
import type { ClientOptions, Dialect } from '../tests/dialects/client';
import type { ClientBundles } from '../tests/dialects/clientBundles';
import { createClient, expect, openClientPage, userToken } from '../tests/dialects/clientFixture';
import { readPageReports, sumReports, type ReadReports } from '../tests/lineQuality';
import { relayPage } from '../tests/relayedCandidates';
import type { LeagueServer } from './leagueServers';
import type { ViewerLine } from './viewerLine';

/** A running call. */
export interface LeagueCall {
  /** Reads what the viewer receives of the publisher. */
  readReports: ReadReports;
  close(): Promise<void>;
}

/** What the two kinds of calls need. */
export interface Browsers {
  browser: Browser;
  bundles: ClientBundles;
  call: Call;
}

/** The publisher's camera; its three encodings are those of our page. */
const CAMERA = { width: 1280, height: 720, frameRate: 24 };
/** Camera of a viewer who has to publish before others are received. */
const SMALL_CAMERA = { width: 160, height: 90, frameRate: 5 };
const SMALL_ENCODING = [{ maxBitrate: 50_000 }];
/** Dialects in which a client asks for others after its first own producer. */
const PUBLISHES_FIRST: readonly Dialect[] = ['call'];
/** Pixels of the viewer's page: enough to show the publisher's camera in full size. */
const VIEWPORT = { width: 1600, height: 1000 };

/** Frames, and samples of sound, from which media counts as received; and how long that may take. */
const FRAMES_MIN = 5;
const SAMPLES_MIN = 48_000;
const START_MS_MAX = 30_000;

/** Starts a call in a new room, and waits until the viewer sees and hears the publisher. */
export async function startLeagueCall(browsers: Browsers, server: LeagueServer, line: ViewerLine): Promise<LeagueCall> {
  const room = `league-${randomBytes(4).toString('hex')}`;
  const { client } = server;
  const call =
    client === 'page'
      ? await startPageCall(browsers, server, room, line)
      : await startClientCall(browsers, server.url, client, room, line);
  const received = async () => {
    const { framesDecoded, played } = sumReports(await call.readReports());
    return framesDecoded >= FRAMES_MIN && played >= SAMPLES_MIN;
  };
  const message = 'the viewer sees and hears the publisher';
  await expect.poll(received, { timeout: START_MS_MAX, message }).toBe(true).catch(async (error: unknown) => {
    await call.close();
    throw error;
  });
  return call;
}

async function startPageCall(
  { call }: Browsers,
  { url }: LeagueServer,
  room: string,
  line: ViewerLine,
): Promise<LeagueCall> {
  const ana = await call.join('ana', { base: url, room, options: { width: String(CAMERA.width), codec: 'vp8' } });
  const options = { width: '320', camera: '0' };
  const ben = await call.join('ben', { base: url, room, options, relayPort: line.relayPort, viewport: VIEWPORT });
  return {
    readReports: () => readPageReports(ben, ana),
    close: async () => {
      await ben.closeWindow();
      await ana.closeWindow();
    },
  };
}

async function startClientCall(
  { browser, bundles }: Browsers,
  url: string,
  dialect: Dialect,
  room: string,
  line: ViewerLine,
): Promise<LeagueCall> {
  const pages: Page[] = [];
  const close = async () => {
    for (const page of pages) await page.context().close();
  };
  const add = async (name: string, given: Partial<ClientOptions>, prepare?: (page: Page) => Promise<void>) => {
    const page = await openClientPage(browser, bundles, prepare);
    pages.push(page);
    const token = dialect === 'meetlite' ? userToken(name, process.env.JWT_SECRET ?? '') : null;
    const options = { url, camera: CAMERA, awaitsReceiveTransport: true, token, ...given };
    const participant = await createClient(page, bundles, name, dialect, options);
    await within(participant.join(room), `${name} joins`);
    return participant;
  };
  try {
    const ana = await add('ana', { encodings: [...simulcastEncodings('camera')] });
    await within(ana.publish(), 'ana publishes');
    const viewer = { camera: SMALL_CAMERA, encodings: SMALL_ENCODING };
    const ben = await add('ben', viewer, (page) => relayPage(page, line.relayPort));
    if (PUBLISHES_FIRST.includes(dialect)) await within(ben.publish(), 'ben publishes');
    return { readReports: () => ben.inboundReports(), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Fails when something takes longer than starting may: a server that does not answer. */
async function within<T>(work: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no answer in ${START_MS_MAX / 1_000} s`)), START_MS_MAX);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
