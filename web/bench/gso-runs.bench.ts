/**
 * Datagrams per GSO run when real browsers send, for each setting of the coalescing window and
 * of RTP padding. `make load` measures the same with the load generator.
 */
import { expect, test } from '../tests/callFixture';
import { sleep, type Server } from '../tests/server';

const MEASURED_MS = 15_000;

/** Cameras need some seconds to reach their bitrate. */
const SETTLE_MS = 12_000;

const NAMES = ['ana', 'ben', 'carla', 'dora'];

const SETTINGS = {
  'no window, no padding': { WATERSMEET_EGRESS_WINDOW: 'off', WATERSMEET_EGRESS_PADDING: '0' },
  'defaults': {},
  'window of 2 ms': { WATERSMEET_EGRESS_WINDOW: '2000us', WATERSMEET_EGRESS_PADDING: '0' },
  'window and padding': { WATERSMEET_EGRESS_WINDOW: '2000us', WATERSMEET_EGRESS_PADDING: '32' },
};

/** Run counts from the server's histogram; each bound includes the lower ones. */
type RunHistogram = { bounds: Map<string, number>; datagrams: number };

async function readRuns(server: Server): Promise<RunHistogram> {
  const metrics = [...(await server.metrics()).matchAll(/^watersmeet_media_run_segments_(bucket|sum)\{([^}]*)\} (\d+)/gm)];
  const runs: RunHistogram = { bounds: new Map(), datagrams: 0 };
  for (const [, kind, labels = '', value] of metrics) {
    if (kind === 'sum') runs.datagrams += Number(value);
    const bound = /le="([^"]+)"/.exec(labels)?.[1];
    if (bound) runs.bounds.set(bound, (runs.bounds.get(bound) ?? 0) + Number(value));
  }
  return runs;
}

/** Formats the mean run length and the share of each class. */
function formatRuns(before: RunHistogram, after: RunHistogram): string {
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

for (const [setting, environment] of Object.entries(SETTINGS)) {
  test(setting, async ({ call }) => {
    const server = await call.startServer(environment);
    const participants = [];
    for (const name of NAMES) participants.push(await call.join(name));
    for (const receiver of participants) {
      for (const sender of participants) if (receiver !== sender) await receiver.expectVideoFrom(sender);
    }
    await sleep(SETTLE_MS);
    const before = await readRuns(server);
    await sleep(MEASURED_MS);
    const after = await readRuns(server);
    expect(after.datagrams).toBeGreaterThan(before.datagrams);
    console.log(`${NAMES.length} Chromium, ${setting}: ${formatRuns(before, after)}`);
  });
}
