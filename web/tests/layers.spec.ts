/**
 * Layers of each codec from Chromium: a small and a large tile get the layer that fits, and the publisher sends what
 * somebody is sent.
 */
import { NIGHTLY, expect, test, type CallParticipant } from './callFixture';

const SMALL = { width: 360, height: 420 };
const LARGE = { width: 1_600, height: 1_000 };
/** Time within which a viewer has the layer that fits a tile, on a machine that encodes all pictures itself. */
const LAYER_MS_MAX = 5_000;

/** Height of the pictures that a viewer decodes at present. */
function decodedHeight(viewer: CallParticipant): Promise<number> {
  return viewer.page.evaluate(async () => {
    for (const connection of window.connections) {
      for (const report of (await connection.getStats()).values()) {
        // Padding of probes has a report of its own.
        if (report.type === 'inbound-rtp' && report.frameHeight) return Number(report.frameHeight);
      }
    }
    return 0;
  });
}

/** Resizes the viewer's window, and returns the time in ms until it decodes pictures of this height. */
async function resize(viewer: CallParticipant, viewport: { width: number; height: number }, height: number): Promise<number> {
  const start = Date.now();
  await viewer.page.setViewportSize(viewport);
  await expect.poll(() => decodedHeight(viewer), { intervals: [50], message: `${height} lines` }).toBe(height);
  return Date.now() - start;
}

for (const [codec, height] of [['vp8', 720], ['vp9', 720], ['h264', 720], ['av1', 360]] as const) {
  const tags = codec === 'vp9' ? {} : NIGHTLY;
  test(`the layers of ${codec.toUpperCase()} fit the size of the tile`, tags, async ({ call }) => {
    await call.startServer({ WATERSMEET_CODECS: 'opus, vp8, vp9, h264, av1', WATERSMEET_VIDEO_CODEC: codec });
    const ana = await call.join('ana', { options: { width: String((height * 16) / 9) } });
    const ben = await call.join('ben', { options: { width: '320' }, viewport: LARGE });
    await ben.expectVideoFrom(ana);
    await expect.poll(() => decodedHeight(ben), { message: 'the large tile', timeout: 20_000 }).toBe(height);
    await resize(ben, SMALL, height / 2);
    const times = [await resize(ben, LARGE, height), await resize(ben, SMALL, height / 2)];
    console.log(`${codec}: ${times.join(' and ')} ms to the layer of a large and of a small tile`);
    await ben.expectVideoFrom(ana);
    expect(Math.max(...times)).toBeLessThan(LAYER_MS_MAX);
  });
}
