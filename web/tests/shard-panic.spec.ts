/**
 * A shard panics: its rooms come back by themselves, the rooms of the other
 * shard notice nothing. Needs a program built with `--features faults`, whose
 * path `WATERSMEET_FAULTS_BIN` names.
 */
import { expect, test } from './callFixture';
import { freePort } from './server';

const FAULTS = process.env.WATERSMEET_FAULTS_BIN;
const BACK_MS_MAX = 5_000;
/** A picture that stands still this long would be seen as a freeze; the cameras make one every 42 ms. */
const FREEZE_MS_MAX = 500;

/** Four small cameras: two rooms on one machine. */
const small = { options: { width: '320' } };

test('the room of a shard that panics is back within five seconds, the other sees no freeze', async ({ people }) => {
  test.skip(!FAULTS, 'WATERSMEET_FAULTS_BIN names no program built with --features faults');
  const firstPort = await freePort();
  const server = await people.meetAt({ WATERSMEET_SHARDS: '2', WATERSMEET_RTC_PORT: String(firstPort) }, FAULTS);
  const ana = await people.joins('ana', { room: 'hit', ...small });
  const ben = await people.joins('ben', { room: 'hit', ...small });
  const carla = await people.joins('carla', { room: 'spared', ...small });
  const dora = await people.joins('dora', { room: 'spared', ...small });
  for (const [one, other] of [[ana, ben], [ben, ana], [carla, dora]] as const) await one.sees(other);
  const hit = (await ana.mediaPort()) - firstPort;
  expect((await carla.mediaPort()) - firstPort, 'the rooms live on different shards').toBe(1 - hit);

  const longestGap = await carla.watchesForGaps(dora);
  const before = { ana: await ana.connectionsMade(), ben: await ben.connectionsMade() };
  const told = await fetch(`${server.url}/faults/panic/${hit}`, { method: 'POST' });
  expect(told.status).toBe(202);
  await Promise.all([ana.isBackSeeing(ben, before.ana, BACK_MS_MAX), ben.isBackSeeing(ana, before.ben, BACK_MS_MAX)]);

  await ana.sees(ben);
  await ana.hears(ben);
  await carla.isConnected();
  expect(await longestGap()).toBeLessThan(FREEZE_MS_MAX);
});
