/**
 * How many datagrams leave together when real browsers send: each in turn, for every way of
 * gathering and lengthening them. The generator's crowds are measured by `make load`.
 */
import { expect, test } from '../tests/callFixture';
import { sleep } from '../tests/server';

const MEASURED_MS = 15_000;

/** Cameras need some seconds to reach their bitrate. */
const SETTLE_MS = 12_000;

const PEOPLE = ['ana', 'ben', 'carla', 'dora'];

const WAYS = {
  'as they come': { WATERSMEET_EGRESS_WINDOW: 'off', WATERSMEET_EGRESS_PADDING: '0' },
  'as configured': {},
  'window of 2 ms': { WATERSMEET_EGRESS_WINDOW: '2000us', WATERSMEET_EGRESS_PADDING: '0' },
  'window and padding': { WATERSMEET_EGRESS_WINDOW: '2000us', WATERSMEET_EGRESS_PADDING: '32' },
};

/** Runs by the most datagrams they have, as the server counts them: each bound has those below it. */
type Runs = { bounds: Map<string, number>; datagrams: number };

async function runsOf(url: string): Promise<Runs> {
  const page = await (await fetch(`${url}/metrics`)).text();
  const figures = [...page.matchAll(/^watersmeet_media_run_segments_(bucket|sum)\{([^}]*)\} (\d+)/gm)];
  const runs: Runs = { bounds: new Map(), datagrams: 0 };
  for (const [, kind, labels = '', value] of figures) {
    if (kind === 'sum') runs.datagrams += Number(value);
    const bound = /le="([^"]+)"/.exec(labels)?.[1];
    if (bound) runs.bounds.set(bound, (runs.bounds.get(bound) ?? 0) + Number(value));
  }
  return runs;
}

/** Mean length, and the share of runs of each class. */
function describe(before: Runs, after: Runs): string {
  const counts = [...after.bounds].map(([bound, count]) => [bound, count - (before.bounds.get(bound) ?? 0)] as const);
  const all = counts.at(-1)?.[1] ?? 0;
  let below = 0;
  const shares = counts.flatMap(([bound, count]) => {
    const share = ((count - below) / all) * 100;
    below = count;
    return share >= 0.5 ? [`≤ ${Number(bound)}: ${share.toFixed(0)} %`] : [];
  });
  const datagrams = after.datagrams - before.datagrams;
  return `${(datagrams / all).toFixed(2)} datagrams in a run (${datagrams} in ${all}; ${shares.join(', ')})`;
}

for (const [way, environment] of Object.entries(WAYS)) {
  test(way, async ({ people }) => {
    const server = await people.meetAt(environment);
    const crowd = [];
    for (const name of PEOPLE) crowd.push(await people.joins(name));
    for (const one of crowd) {
      for (const other of crowd) if (one !== other) await one.sees(other);
    }
    await sleep(SETTLE_MS);
    const before = await runsOf(server.url);
    await sleep(MEASURED_MS);
    const after = await runsOf(server.url);
    expect(after.datagrams).toBeGreaterThan(before.datagrams);
    console.log(`${PEOPLE.length} Chromium, ${way}: ${describe(before, after)}`);
  });
}
