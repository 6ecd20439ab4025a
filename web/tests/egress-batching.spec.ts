/**
 * Batching of outgoing packets (coalescing window and RTP padding): browsers play such packets
 * as others, and a small call has no added delay.
 */
import { NIGHTLY, SMALL_CAMERA, expect, expectAllReceiveAll, test } from './callFixture';

/** Seven seconds of video at 24 fps: at the start of a call a jitter buffer is longer. */
const SETTLED_FRAMES = 168;

test('Chromium and Firefox play packets that were coalesced and padded', NIGHTLY, async ({ call }) => {
  const server = await call.startServer({ WATERSMEET_EGRESS_WINDOW: '2000us', WATERSMEET_EGRESS_PADDING: '32' });
  const ana = await call.join('ana', SMALL_CAMERA);
  const ben = await call.join('ben', { ...SMALL_CAMERA, browser: 'firefox' });
  const carla = await call.join('carla', SMALL_CAMERA);
  await expectAllReceiveAll([ana, ben, carla]);
  expect(await server.metrics()).toMatch(/rtp_padding_bytes_total\{[^}]*\} [1-9]/);
});

test('the window adds no jitter buffer delay to a call of two', NIGHTLY, async ({ call }) => {
  const windows = ['off', 'auto'];
  const calls = [];
  for (const window of windows) {
    await call.startServer({ WATERSMEET_EGRESS_WINDOW: window });
    const ana = await call.join(`ana-${window}`, SMALL_CAMERA);
    const ben = await call.join(`ben-${window}`, SMALL_CAMERA);
    await ana.expectVideoFrom(ben);
    calls.push({ ana, ben });
  }
  // Both calls are measured at the same time, so that other load on the machine affects both.
  await Promise.all(calls.map(({ ana, ben }) => ana.expectEmittedFrames(ben, SETTLED_FRAMES)));
  for (const [kind, toleranceMs] of [['audio', 15], ['video', 15]] as const) {
    const delays = await Promise.all(calls.map(({ ana, ben }) => ana.jitterBufferDelay(ben, kind, 10_000)));
    const [without = NaN, automatic = NaN] = delays;
    console.log(`jitter buffer, ${kind}: ${without.toFixed(1)} ms without a window, ${automatic.toFixed(1)} ms with it`);
    expect(automatic, kind).toBeLessThanOrEqual(without * 1.25 + toleranceMs);
  }
});
