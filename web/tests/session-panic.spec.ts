/**
 * Recovery from a panic while the server handles a request: the page of that request, or all
 * pages of its room, say that the connection was lost and rejoin. Another room is not affected.
 * Needs a program built with `--features faults`; `WATERSMEET_FAULTS_BIN` is its path.
 */
import { NIGHTLY, SMALL_CAMERA, expect, test } from './callFixture';

const FAULTS_BIN = process.env.WATERSMEET_FAULTS_BIN;
const REJOIN_MS_MAX = 10_000;
/** A gap of this length would be visible as a freeze; the cameras make a frame every 42 ms. */
const FREEZE_MS_MAX = 500;

/** Shown for less than a second when the server is there. */
const LOSS_TEXT = 'The connection was lost. Getting you back in…';

test('pages hit by a panic say so and rejoin, the call in another room sees no freeze', NIGHTLY, async ({ call }) => {
  test.skip(!FAULTS_BIN, 'WATERSMEET_FAULTS_BIN is not set');
  const server = await call.startServer({ WATERSMEET_SHARDS: '1' }, FAULTS_BIN);
  const ana = await call.join('ana', { room: 'panicking', ...SMALL_CAMERA });
  const ben = await call.join('ben', { room: 'panicking', ...SMALL_CAMERA });
  const carla = await call.join('carla', { room: 'healthy', ...SMALL_CAMERA });
  const dora = await call.join('dora', { room: 'healthy', ...SMALL_CAMERA });
  for (const [one, other] of [[ana, ben], [ben, ana], [carla, dora]] as const) await one.expectVideoFrom(other);
  const longestGap = await carla.measureFrameGaps(dora);

  for (const [stage, affected] of [['request', [ana]], ['cleanup', [ana, ben]]] as const) {
    const before = { ana: await ana.connectionCount(), ben: await ben.connectionCount() };
    const response = await fetch(`${server.url}/faults/panic/rooms/panicking/${stage}`, { method: 'POST' });
    expect(response.status).toBe(202);
    const recordings = await Promise.all(affected.map((participant) => participant.recordAlerts()));
    await ana.mute();
    for (const alerts of recordings) await expect.poll(alerts).toContainEqual(expect.stringContaining(LOSS_TEXT));
    await ana.expectVideoAfterRejoin(ben, before.ana, REJOIN_MS_MAX);
    await ben.expectVideoFrom(ana);
    await ana.unmute();
    await ben.expectAudioFrom(ana);
    await Promise.all([ana, ben].map((participant) => participant.expectConnected()));
  }
  await carla.expectConnected();
  expect(await longestGap()).toBeLessThan(FREEZE_MS_MAX);
  const metrics = await server.metrics();
  expect(metrics).toContain('watersmeet_session_panics_total 2');
});
