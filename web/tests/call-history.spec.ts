/** The causes that the history of calls names when the device or the network of one participant is bad. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NIGHTLY, ROOM, SMALL_CAMERA, expect, test, type CallParticipant } from './callFixture';
import { useRelaysOnly } from './relaysOnly';
import { freePortPair, sleep, type Server } from './server';

const API_KEY = randomBytes(32).toString('hex');
/** Time for which a fault lasts: some observations, and reports of the page. */
const FAULT_MS = 9_000;

interface CallDetails {
  participants: { name: string; leftReason: string; causes: { code: string; isNote: boolean }[]; minutes: { route: string }[] }[];
}

let folder = '';

test.beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'watersmeet-history-'));
});

test.afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Settings of a server that observes calls every second. */
const history = () => ({
  API_KEY,
  WATERSMEET_HISTORY: 'true',
  WATERSMEET_HISTORY_NAMES: 'true',
  WATERSMEET_HISTORY_INTERVAL_S: '1',
  WATERSMEET_HISTORY_FILE: join(folder, 'history.sqlite'),
});

async function read<T>(server: Server, path: string): Promise<T> {
  const answer = await fetch(`${server.url}${path}`, { headers: { authorization: `Bearer ${API_KEY}` } });
  expect(answer.status, path).toBe(200);
  return (await answer.json()) as T;
}

/** Ends the call, and returns the codes of the causes that its history names, by the names of participants. */
async function causesAfter(server: Server, people: CallParticipant[]): Promise<Record<string, string[]>> {
  for (const person of people) await person.leave();
  const calls = () => read<{ calls: { id: string; endedAt: string | null }[] }>(server, `/api/history?room=${ROOM}`);
  await expect.poll(async () => (await calls()).calls[0]?.endedAt).toBeTruthy();
  const [call] = (await calls()).calls;
  const { participants } = await read<CallDetails>(server, `/api/history/${call?.id}`);
  return Object.fromEntries(participants.map(({ name, causes }) => [name, causes.map(({ code }) => code)]));
}

/** Returns the names of those for whom the history names a cause. */
function named(causes: Record<string, string[]>, code: string): string[] {
  return Object.keys(causes).filter((name) => causes[name]?.includes(code));
}

/** Keeps the tracks that a page opens, once it is loaded again; its microphone is silent if asked for. */
async function controlDevices({ page }: CallParticipant, isSilent: boolean): Promise<void> {
  await page.addInitScript((silent) => {
    const devices = navigator.mediaDevices;
    const capture = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (constraints) => {
      const stream = await capture(constraints);
      window.captured = [...(window.captured ?? []), ...stream.getTracks()];
      if (!silent) return stream;
      for (const track of stream.getAudioTracks()) stream.removeTrack(track);
      for (const track of new AudioContext().createMediaStreamDestination().stream.getAudioTracks()) stream.addTrack(track);
      return stream;
    };
  }, isSilent);
  await page.reload();
}

test('names the devices of three participants that are bad, and not the fourth', async ({ call }) => {
  const server = await call.startServer(history());
  const ana = await call.join('ana', SMALL_CAMERA);
  const ben = await call.open('ben', { room: ROOM, ...SMALL_CAMERA });
  await controlDevices(ben, true);
  const cat = await call.open('cat', { room: ROOM, ...SMALL_CAMERA });
  await controlDevices(cat, false);
  const dan = await call.open('dan', { room: ROOM, ...SMALL_CAMERA });
  for (const person of [ben, cat, dan]) await person.join();
  await expect(ana.tileOf(cat)).toBeVisible();
  await cat.page.evaluate(() => {
    const camera = window.captured.findLast(({ kind, readyState }) => kind === 'video' && readyState === 'live');
    camera?.stop();
    camera?.dispatchEvent(new Event('ended'));
  });
  // The page of dan runs for a third of the time, as on a device that is too slow.
  await dan.page.evaluate(async (spanMs) => {
    for (const end = Date.now() + spanMs; Date.now() < end; ) {
      for (const busy = Date.now() + 600; Date.now() < busy; );
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }, FAULT_MS);
  const causes = await causesAfter(server, [ana, ben, cat, dan]);
  expect(named(causes, 'microphone-silent'), JSON.stringify(causes)).toEqual(['ben']);
  expect(named(causes, 'camera-device'), JSON.stringify(causes)).toEqual(['cat']);
  expect(named(causes, 'viewer-cpu'), JSON.stringify(causes)).toEqual(['dan']);
});

test('names a participant behind a relay, and one who was muted', async ({ call }) => {
  const server = await call.startServer({ ...history(), WATERSMEET_TURN_PORT: String(await freePortPair()) });
  const ana = await call.join('ana', SMALL_CAMERA);
  const ben = await call.open('ben', { room: ROOM, ...SMALL_CAMERA });
  await useRelaysOnly(ben);
  const cat = await call.join('cat', SMALL_CAMERA);
  await cat.mute();
  await ben.join();
  await expect(ana.tileOf(ben)).toBeVisible();
  await sleep(FAULT_MS);
  const causes = await causesAfter(server, [ana, ben, cat]);
  expect(named(causes, 'relay'), JSON.stringify(causes)).toEqual(['ben']);
  expect(named(causes, 'microphone-muted'), JSON.stringify(causes)).toEqual(['cat']);
});

test('names participants who never reach a wrong announced address', NIGHTLY, async ({ call }) => {
  // TEST-NET-1, where nobody answers (RFC 5737).
  const server = await call.startServer({ ...history(), MEDIASOUP_ANNOUNCED_IP: '192.0.2.1', WATERSMEET_TCP: 'false' });
  const ana = await call.open('ana', { room: ROOM, ...SMALL_CAMERA });
  await ana.requestJoin();
  await expect
    .poll(async () => (await read<{ calls: unknown[] }>(server, '/api/history')).calls.length, { timeout: 20_000 })
    .toBe(1);
  await sleep(FAULT_MS);
  expect((await causesAfter(server, [ana])).ana).toContain('never-connected');
});
