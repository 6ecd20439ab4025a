/**
 * Two Chromium, each behind a relay that interrupts its line or changes its port towards the server. The
 * picture is back within a second of the moment at which the line is.
 *
 * After a change of the port the line is back when the participant first sends from the new one: before
 * that, nobody but the participant's own NAT knows that port. The times from the change itself are printed
 * too; they contain how long the browser had nothing to send.
 */
import { NIGHTLY, SMALL_CAMERA, expect, test, type Call } from './callFixture';
import type { Relay } from './relay';
import { sleep } from './server';

/** How long the picture may take to be back. */
const BACK_MS_MAX = 1_000;
/**
 * A longer time without a decoded frame is an interruption. A busy machine makes shorter ones by itself;
 * a browser that waits for a keyframe shows none for far longer.
 */
const GAP_MS_MIN = 500;
/** Time without an interruption after which the picture counts as back. */
const STEADY_MS = 2_000;
/** Frames a second in a cut, at most: those from before it that the jitter buffer releases late. */
const CUT_FPS_MAX = 12;
/** Changes of the port for each participant. Each finds the browser at another point between its ICE checks. */
const REBINDINGS = 4;

interface Line {
  publisher: Relay;
  viewer: Relay;
  /** Returns the times, since an instant, at which the viewer decoded the publisher's frames. */
  decodedSince: (sinceMs: number) => Promise<number[]>;
}

interface Return {
  /** Time in ms at which the picture was back: at the first frame after the last interruption. */
  backMs: number;
  /** The longest time in ms without a frame. */
  gapMs: number;
}

/** Starts a call in which `ben` sees `ana`, each behind a relay of its own. */
async function startCall(call: Call): Promise<Line> {
  const [publisher, viewer] = await call.startServerBehindRelays(2);
  if (!publisher || !viewer) throw new Error('two relays were not started');
  const ana = await call.join('ana', { ...SMALL_CAMERA, relayPort: publisher.port });
  const ben = await call.join('ben', { ...SMALL_CAMERA, relayPort: viewer.port });
  await ben.turnCameraOff();
  await ben.expectVideoFrom(ana);
  return { publisher, viewer, decodedSince: await ben.recordDecodedFrames(ana) };
}

/** Waits until the picture is back. Times count from `sinceMs`. */
async function pictureBack(line: Line, sinceMs: number): Promise<Return> {
  const result = { backMs: 0, gapMs: 0 };
  const isSteady = async () => {
    const times = await line.decodedSince(sinceMs);
    const gaps = times.map((ms, i) => ms - (times[i - 1] ?? 0));
    const interruption = gaps.findLastIndex((gapMs) => gapMs >= GAP_MS_MIN);
    result.backMs = times[Math.max(0, interruption)] ?? 0;
    result.gapMs = Math.max(...gaps);
    return (times.at(-1) ?? 0) - result.backMs >= STEADY_MS;
  };
  await expect.poll(isSteady, { timeout: 20_000, message: 'the picture is back' }).toBe(true);
  return result;
}

/** Cuts a line, and returns how long after its return the picture is back. */
async function cut(line: Line, relay: Relay, what: 'all' | 'media', seconds: number): Promise<number> {
  await relay.command(`cut ${what}`);
  const cutAt = Date.now();
  await sleep(seconds * 1_000);
  const frames = (await line.decodedSince(cutAt)).length;
  expect(frames, 'the cut interrupts the picture').toBeLessThan(seconds * CUT_FPS_MAX);
  const restoredAt = Date.now();
  await relay.command('restore');
  return (await pictureBack(line, restoredAt)).backMs;
}

test('the picture is back within a second after an interruption', async ({ call }) => {
  test.setTimeout(180_000);
  const line = await startCall(call);
  const times: [string, number][] = [['publisher, 10 s with consent', await cut(line, line.publisher, 'media', 10)]];
  for (const seconds of [1, 3, 10]) {
    times.push([`viewer, ${seconds} s`, await cut(line, line.viewer, 'all', seconds)]);
  }
  console.log(`picture back, in ms after the line:\n${times.map((it) => `  ${it.join(': ')}`).join('\n')}`);
  for (const [name, ms] of times) expect.soft(ms, name).toBeLessThanOrEqual(BACK_MS_MAX);
});

for (const side of ['publisher', 'viewer'] as const) {
  test(`the picture is back within a second after a new port of the ${side}`, NIGHTLY, async ({ call }) => {
    test.setTimeout(120_000);
    const line = await startCall(call);
    const lines = [];
    for (let i = 1; i <= REBINDINGS; i += 1) {
      await sleep(300 * i);
      const reboundAt = Date.now();
      await line[side].command('rebind');
      const { backMs, gapMs } = await pictureBack(line, reboundAt);
      // Of a publisher's transports one sends a camera all the time; of a viewer's, one sends only reports.
      const { firstSentMs } = await line[side].counts();
      const sent = firstSentMs.filter((ms) => ms <= backMs);
      const lineBackMs = side === 'publisher' ? Math.min(...firstSentMs) : Math.max(0, ...sent);
      const afterLineMs = Math.max(0, backMs - lineBackMs);
      lines.push(`  ${backMs} after the change, ${afterLineMs} after the first packet; longest gap ${gapMs}`);
      expect.soft(afterLineMs, `change ${i}`).toBeLessThanOrEqual(BACK_MS_MAX);
    }
    console.log(`picture back, in ms:\n${lines.join('\n')}`);
  });
}
