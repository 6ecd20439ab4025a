/** A room spread over two shards: participants on different ports exchange media, join late and leave. */
import { SMALL_CAMERA, expect, expectAllReceiveAll, test } from './callFixture';
import { freePortPair } from './server';

test('participants of one room exchange media across shards', async ({ call }) => {
  const server = await call.startServer({
    WATERSMEET_SHARDS: '2',
    WATERSMEET_SPREAD_ABOVE_PERCENT: '0',
    WATERSMEET_RTC_PORT: String(await freePortPair()),
  });
  const ana = await call.join('ana', SMALL_CAMERA);
  const ben = await call.join('ben', SMALL_CAMERA);
  await expectAllReceiveAll([ana, ben]);
  expect(await ana.mediaPort(), 'ana and ben are on different shards').not.toBe(await ben.mediaPort());

  const carla = await call.join('carla', SMALL_CAMERA);
  for (const other of [ana, ben]) {
    await carla.expectVideoFrom(other);
    await other.expectVideoFrom(carla);
  }
  const metrics = await server.metrics();
  for (const worker of ['0', '1']) {
    const forwarded = new RegExp(`cross_worker_packets_total\\{[^}]*worker="${worker}"[^}]*direction="out"[^}]*\\} ([1-9]\\d*)`);
    expect(metrics, `worker ${worker} forwards packets to the other`).toMatch(forwarded);
  }
  await ben.closeWindow();
  await Promise.all([ana.expectTileGone(ben, 2_000), carla.expectTileGone(ben, 2_000)]);
  await ana.expectVideoFrom(carla);
});
