/**
 * Packets that are gathered, and lengthened to leave together: browsers play them as they
 * play others, and a call that loads nothing does not pay for it.
 */
import { expect, test } from './callFixture';
import { sleep } from './server';

const small = { options: { width: '320' } };

test('both browsers play packets that were gathered and lengthened', async ({ people }) => {
  const server = await people.meetAt({ WATERSMEET_EGRESS_WINDOW: '2000us', WATERSMEET_EGRESS_PADDING: '32' });
  const ana = await people.joins('ana', small);
  const ben = await people.joins('ben', { ...small, in: 'firefox' });
  const carla = await people.joins('carla', small);
  for (const one of [ana, ben, carla]) {
    for (const other of [ana, ben, carla]) {
      if (one === other) continue;
      await one.sees(other);
      await one.hears(other);
    }
  }
  const figures = await (await fetch(`${server.url}/metrics`)).text();
  expect(figures).toMatch(/rtp_padding_bytes_total\{[^}]*\} [1-9]/);
});

test('in a call of two nothing waits longer in the jitter buffer than without a window', async ({ people }) => {
  const windows = ['off', 'auto'];
  const calls = [];
  for (const window of windows) {
    await people.meetAt({ WATERSMEET_EGRESS_WINDOW: window });
    const ana = await people.joins(`ana-${window}`, small);
    const ben = await people.joins(`ben-${window}`, small);
    await ana.sees(ben);
    calls.push({ ana, ben });
  }
  // Both calls at once, so that whatever else the machine does is done to both. A buffer that has
  // just begun is longer.
  await sleep(5_000);
  for (const [kind, toleranceMs] of [['audio', 15], ['video', 15]] as const) {
    const delays = await Promise.all(calls.map(({ ana, ben }) => ana.jitterBufferDelay(ben, kind, 10_000)));
    const [without = NaN, automatic = NaN] = delays;
    console.log(`jitter buffer, ${kind}: ${without.toFixed(1)} ms without a window, ${automatic.toFixed(1)} ms with it`);
    expect(automatic, kind).toBeLessThanOrEqual(without * 1.25 + toleranceMs);
  }
});
