/**
 * Figures of a page in a large call: one real page at 1280×800 among peers of the load generator that send simulcast.
 * Prints the pages, the layers that are asked for, what is received, and the long tasks of the page. `PEERS=24`
 * sets the number of peers, `SECONDS=20` the time that is measured, `PROFILE=FILE` writes a CPU profile for DevTools.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '../tests/callFixture';
import { recordSent } from '../tests/sharing';
import { sleep } from '../tests/server';

const PEERS = Number(process.env.PEERS ?? 24);
const SECONDS = Number(process.env.SECONDS ?? 20);
const GENERATOR = process.env.WATERSMEET_LOAD_BIN ?? fileURLToPath(new URL('../../target/release/watersmeet-load', import.meta.url));
/** Best layer of a peer's camera, in kbit/s, and the rate at which peers join. */
const VIDEO_KBPS = 1_200;
const JOINS_PER_SECOND = 2;
/** Time in which the videos of the last peers start, before the call is measured. */
const SETTLING_MS = 4_000;

/** Key by which the bench reads the name of the peers' room. */
const API_KEY = 'large-call-bench-key-0123456789abcdef';

declare global {
  interface Window {
    /** Durations in ms of the tasks of more than 50 ms. */
    longTasks: number[];
  }
}

/** Starts peers that join, send for as long as the measurement lasts, and end with the returned function. */
function startPeers(url: string): () => void {
  const options = ['--profile', 'webinar', '--publishers', String(PEERS), '--subscribers', '0', '--simulcast'];
  const rates = ['--video-kbps', String(VIDEO_KBPS), '--join-rate', String(JOINS_PER_SECOND), '--seconds', '600'];
  const child = spawn(GENERATOR, ['--url', url.replace('http', 'ws'), ...options, ...rates], { stdio: 'ignore' });
  return () => void child.kill();
}

/** Returns the name of the peers' room. */
async function roomOf(url: string): Promise<string> {
  const names = async () => {
    const { rooms } = (await (await fetch(`${url}/api/rooms`, { headers: { authorization: `Bearer ${API_KEY}` } })).json()) as { rooms: { roomId: string }[] };
    return rooms.map(({ roomId }) => roomId);
  };
  await expect.poll(names, { timeout: 20_000 }).toHaveLength(1);
  return (await names())[0] ?? '';
}

function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((one, two) => one - two);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

test(`one page among ${PEERS} peers`, async ({ call }) => {
  test.setTimeout(240_000);
  const server = await call.startServer({ API_KEY });
  const stopPeers = startPeers(server.url);
  try {
    const room = await roomOf(server.url);
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
