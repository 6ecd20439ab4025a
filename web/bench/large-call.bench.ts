/**
 * Figures of a page in a large call: one real page at 1280×800 among peers of the load generator that send simulcast.
 * Prints the pages, the layers that are asked for, what is received, and the long tasks of the page. `PEERS=24`
 * sets the number of peers, `SECONDS=20` the time that is measured, `PROFILE=FILE` writes a CPU profile for DevTools.
 */
import { writeFileSync } from 'node:fs';
import { expect, test } from '../tests/callFixture';
import { recordSent } from '../tests/sharing';
import { sleep } from '../tests/server';
import { API_KEY, roomOfPeers, startPeers } from './loadPeers';

const PEERS = Number(process.env.PEERS ?? 24);
const SECONDS = Number(process.env.SECONDS ?? 20);
/** Best layer of a peer's camera, in kbit/s, and the rate at which peers join. */
const VIDEO_KBPS = 1_200;
const JOINS_PER_SECOND = 2;
/** Time in which the videos of the last peers start, before the call is measured. */
const SETTLING_MS = 4_000;

declare global {
  interface Window {
    /** Durations in ms of the tasks of more than 50 ms. */
    longTasks: number[];
  }
}

function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((one, two) => one - two);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

test(`one page among ${PEERS} peers`, async ({ call }) => {
  test.setTimeout(240_000);
  const server = await call.startServer({ API_KEY });
  const cameras = ['--publishers', String(PEERS), '--subscribers', '0', '--simulcast', '--video-kbps', String(VIDEO_KBPS)];
  const stopPeers = startPeers(server.url, JOINS_PER_SECOND, cameras);
  try {
    const room = await roomOfPeers(server.url);
    const ana = await call.open('ana', { room, viewport: { width: 1_280, height: 800 } });
    const { page } = ana;
    const sent = recordSent(page);
    await page.addInitScript(() => {
      window.longTasks = [];
      new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => window.longTasks.push(duration))).observe({
        type: 'longtask',
        buffered: true,
      });
    });
    await page.reload();
    const session = await page.context().newCDPSession(page);
    await session.send('Profiler.enable');
    await session.send('Profiler.start');
    await ana.join();
    // A locator would read the whole page again and again, and be most of what is measured.
    await page.waitForFunction((count) => document.querySelector('header')?.textContent?.includes(count), String(PEERS + 1), { polling: 500 });
    await sleep(SETTLING_MS);
    const joining = await page.evaluate(() => window.longTasks.splice(0));
    const received = () =>
      page.evaluate(async () => {
        const bytes = { audio: 0, video: 0 };
        let videos = 0;
        for (const connection of window.connections) {
          for (const report of (await connection.getStats()).values()) {
            if (report.type !== 'inbound-rtp') continue;
            bytes[report.kind as 'audio' | 'video'] += Number(report.bytesReceived) + Number(report.headerBytesReceived);
            if (report.kind === 'video' && report.bytesReceived) videos += 1;
          }
        }
        return { bytes, videos };
      });
    const before = await received();
    await sleep(SECONDS * 1_000);
    const after = await received();
    const { profile } = await session.send('Profiler.stop');
    if (process.env.PROFILE) writeFileSync(process.env.PROFILE, JSON.stringify(profile));
    const steady = await page.evaluate(() => window.longTasks);
    const layers = sent.filter(({ type }) => type === 'setPreferredLayers').map(({ payload }) => JSON.stringify(payload['spatialLayer']));
    const pager = await page.getByRole('navigation', { name: /^Page/ }).getAttribute('aria-label', { timeout: 1_000 }).catch(() => 'one page');
    const mbps = (kind: 'audio' | 'video') => (((after.bytes[kind] - before.bytes[kind]) * 8) / SECONDS / 1e6).toFixed(2);
    const summary = (tasks: number[]) => `${tasks.length}, p95 ${quantile(tasks, 0.95)} ms, longest ${quantile(tasks, 1)} ms`;
    console.log(
      [
        `\n${PEERS + 1} people: ${pager}, ${after.videos} videos received so far`,
        `layers asked for: ${[...new Set(layers)].map((layer) => `${layer} × ${layers.filter((it) => it === layer).length}`).join(', ')}`,
        `received: ${mbps('video')} Mbit/s of video, ${mbps('audio')} of audio`,
        `long tasks while joining: ${summary(joining)}`,
        `long tasks in ${SECONDS} s of the call: ${summary(steady)}`,
      ].join('\n'),
    );
    expect(after.bytes.video).toBeGreaterThan(before.bytes.video);
  } finally {
    stopPeers();
  }
});
