/**
 * One room on two shards: two people whose transports are on different ports see and hear each
 * other, mute, come late and leave as they do on one.
 */
import { expect, test } from './callFixture';
import { freePort } from './server';

const small = { options: { width: '320' } };

test('people of one room see and hear each other across shards', async ({ people }) => {
  const server = await people.meetAt({
    WATERSMEET_SHARDS: '2',
    WATERSMEET_SPREAD_ABOVE_PERCENT: '0',
    WATERSMEET_RTC_PORT: String(await freePort()),
  });
  const ana = await people.joins('ana', small);
  const ben = await people.joins('ben', small);
  for (const [one, other] of [[ana, ben], [ben, ana]] as const) {
    await one.sees(other);
    await one.hears(other);
  }
  expect(await ana.mediaPort(), 'they are on different shards').not.toBe(await ben.mediaPort());

  const carla = await people.joins('carla', small);
  for (const other of [ana, ben]) {
    await carla.sees(other);
    await other.sees(carla);
  }
  const figures = await (await fetch(`${server.url}/metrics`)).text();
  for (const worker of ['0', '1']) {
    const crossed = new RegExp(`crossings_total\\{[^}]*worker="${worker}"[^}]*direction="out"[^}]*\\} ([1-9]\\d*)`);
    expect(figures, `worker ${worker} hands packets over`).toMatch(crossed);
  }
  await ben.closesTheWindow();
  await Promise.all([ana.losesSightOf(ben, 2_000), carla.losesSightOf(ben, 2_000)]);
  await ana.sees(carla);
});
