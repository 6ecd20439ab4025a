/**
 * Recovery from a panic of one shard: its rooms rejoin, rooms on the other shard are not
 * affected. Needs a program built with `--features faults`; `WATERSMEET_FAULTS_BIN` is its path.
 */
import { SMALL_CAMERA, expect, test } from './callFixture';
import { freePortPair } from './server';

const FAULTS_BIN = process.env.WATERSMEET_FAULTS_BIN;
const REJOIN_MS_MAX = 5_000;
/** A gap of this length would be visible as a freeze; the cameras make a frame every 42 ms. */
const FREEZE_MS_MAX = 500;

test('a room on a panicked shard is back within five seconds, another room sees no freeze', async ({ call }) => {
  test.skip(!FAULTS_BIN, 'WATERSMEET_FAULTS_BIN is not set');
  const firstPort = await freePortPair();
  const server = await call.startServer({ WATERSMEET_SHARDS: '2', WATERSMEET_RTC_PORT: String(firstPort) }, FAULTS_BIN);
  const ana = await call.join('ana', { room: 'panicking', ...SMALL_CAMERA });
  const ben = await call.join('ben', { room: 'panicking', ...SMALL_CAMERA });
  const carla = await call.join('carla', { room: 'healthy', ...SMALL_CAMERA });
  const dora = await call.join('dora', { room: 'healthy', ...SMALL_CAMERA });
  for (const [one, other] of [[ana, ben], [ben, ana], [carla, dora]] as const) await one.expectVideoFrom(other);
  const shard = (await ana.mediaPort()) - firstPort;
  expect((await carla.mediaPort()) - firstPort, 'the rooms are on different shards').toBe(1 - shard);

  const longestGap = await carla.measureFrameGaps(dora);
  const before = { ana: await ana.connectionCount(), ben: await ben.connectionCount() };
  const response = await fetch(`${server.url}/faults/panic/${shard}`, { method: 'POST' });
  expect(response.status).toBe(202);
  await Promise.all([ana.expectVideoAfterRejoin(ben, before.ana, REJOIN_MS_MAX), ben.expectVideoAfterRejoin(ana, before.ben, REJOIN_MS_MAX)]);

  await ana.expectVideoFrom(ben);
  await ana.expectAudioFrom(ben);
  await carla.expectConnected();
  expect(await longestGap()).toBeLessThan(FREEZE_MS_MAX);
});
