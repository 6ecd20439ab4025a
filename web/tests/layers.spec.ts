/**
 * Layers of each codec from Chromium: small, medium and large tiles get the layer that fits, and the publisher stops
 * the best layer when nobody is sent it, and sends it again when somebody is.
 */
import { NIGHTLY, expect, test, type CallParticipant } from './callFixture';
import { decodedHeight, measureSentHeights } from './layerStats';
import { sleep } from './server';

const SMALL = { width: 360, height: 200 };
const MEDIUM = { width: 360, height: 340 };
const LARGE = { width: 1_600, height: 1_000 };

/**
 * Time within which a viewer has the layer that fits a tile, and its publisher sends a layer that was off: a stream is
 * asked for a keyframe once a second at most, and this machine encodes and decodes all pictures itself.
 */
const LAYER_MS_MAX = 2_000;
/** Time within which a publisher stops a layer that nobody is sent. */
const STOP_MS_MAX = 6_000;
/** Time in which a publisher is asked for a keyframe of a layer once at most. */
const KEYFRAME_SPACING_MS = 1_000;
/** Time in which a new publisher sends all layers, and some more. */
const BEGINNING_MS = 11_000;

interface Structure {
  codec: 'vp8' | 'vp9' | 'h264' | 'av1';
  /** Mode of scalable codecs instead of the page's own. */
  mode?: 'L3T3';
  /** Lines of the largest layer: no more than the machine can encode, and enough for Chromium to send three layers. */
  height: number;
}

const STRUCTURES: readonly Structure[] = [
  { codec: 'vp8', height: 720 },
  { codec: 'h264', height: 720 },
  { codec: 'vp9', height: 720 },
  { codec: 'vp9', mode: 'L3T3', height: 720 },
  { codec: 'av1', height: 540 },
  { codec: 'av1', mode: 'L3T3', height: 540 },
];

/** Lets a page send layers that always need the lower ones. */
async function useFullPrediction(participant: CallParticipant): Promise<void> {
  await participant.page.route('**/assets/*.js', async (route) => {
    const response = await route.fetch();
    const body = (await response.text()).replaceAll('T3_KEY', 'T3');
    await route.fulfill({ response, body, headers: { ...response.headers(), 'content-encoding': 'identity' } });
  });
  await participant.reload();
}

/** Resizes the viewer's window, a while after the last time. Returns when it did. */
async function resize(viewer: CallParticipant, viewport: { width: number; height: number }): Promise<number> {
  await sleep(KEYFRAME_SPACING_MS);
  const start = Date.now();
  await viewer.page.setViewportSize(viewport);
  return start;
}

/** Waits until the viewer decodes pictures of this height. Returns the time in ms since `start`. */
async function untilDecoded(viewer: CallParticipant, height: number, start: number): Promise<number> {
  // AV1 has an even number of lines.
  const lines = [height, height + 1];
  await expect.poll(async () => lines.includes(await decodedHeight(viewer)), { intervals: [50], message: `${height} lines` }).toBe(true);
  return Date.now() - start;
}

/** Waits until the publisher sends pictures of this height, or no longer does. Returns the time in ms since `start`. */
async function untilSent(publisher: CallParticipant, height: number, isSent: boolean, start: number): Promise<number> {
  const heights = await measureSentHeights(publisher);
  const poll = async () => {
    await sleep(isSent ? 50 : 300);
    return (await heights()).includes(height);
  };
  await expect.poll(poll, { intervals: [0], message: `${height} lines are sent` }).toBe(isSent);
  return Date.now() - start;
}

for (const { codec, mode, height } of STRUCTURES) {
  const name = [codec.toUpperCase(), mode].filter(Boolean).join(' ');
  const tags = name === 'VP8' ? {} : NIGHTLY;
  test(`the layers of ${name} fit the size of the tile`, tags, async ({ call }) => {
    await call.startServer({ WATERSMEET_CODECS: 'opus, vp8, vp9, h264, av1', WATERSMEET_VIDEO_CODEC: codec });
    const room = 'tea-at-four';
    const ana = await call.open('ana', { room, options: { width: String((height * 16) / 9) } });
    if (mode) await useFullPrediction(ana);
    await ana.join();
    const ben = await call.join('ben', { room, options: { width: '320' }, viewport: LARGE });
    const started = Date.now();
    await ben.expectVideoFrom(ana);
    await ben.turnCameraOff();
    await expect.poll(() => decodedHeight(ben), { message: 'the large tile', timeout: 20_000 }).toBe(height);
    const show = async (viewport: { width: number; height: number }, lines: number) =>
      untilDecoded(ben, lines, await resize(ben, viewport));
    const times = {
      medium: await show(MEDIUM, height / 2),
      small: await show(SMALL, height / 4),
      large: await show(LARGE, height),
      'small again': await show(SMALL, height / 4),
      'medium again': await show(MEDIUM, height / 2),
    };
    await sleep(Math.max(0, started + BEGINNING_MS - Date.now()));
    await show(LARGE, height);
    const stopped = await untilSent(ana, height, false, await resize(ben, MEDIUM));
    const start = await resize(ben, LARGE);
    const [sent, shown] = await Promise.all([untilSent(ana, height, true, start), untilDecoded(ben, height, start)]);
    await ben.expectVideoFrom(ana);
    const layers = Object.entries(times).map(([size, ms]) => `${size} ${ms}`);
    console.log(`${name}, ms: ${layers.join(', ')}; unused layer stopped ${stopped}, sent again ${sent}, shown ${shown}`);
    expect(Math.max(...Object.values(times)), 'time to the layer of a tile').toBeLessThanOrEqual(LAYER_MS_MAX);
    expect(stopped, 'time until the unused layer stops').toBeLessThanOrEqual(STOP_MS_MAX);
    expect(sent, 'time until it is sent again').toBeLessThanOrEqual(LAYER_MS_MAX);
  });
}
