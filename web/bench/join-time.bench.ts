/**
 * How long a joiner waits after the click on Join, on a good line: for the connection, for the first frame, and for
 * the top layer. `JOINS=20` sets the number of joins, `AT_ONCE=1` how many join together, `BROWSER=firefox` the joiners'
 * browser, `DELAY=20` the one-way delay of their line in ms.
 */
import type { BrowserName } from '../tests/browsers';
import { ROOM, test, type CallParticipant } from '../tests/callFixture';
import { sleep } from '../tests/server';

const JOINS = Number(process.env.JOINS ?? 20);
const AT_ONCE = Number(process.env.AT_ONCE ?? 1);
const BROWSER = (process.env.BROWSER ?? 'chromium') as BrowserName;
const DELAY = Number(process.env.DELAY ?? 20);
/** Time of a joiner in the call. */
const STAY_MS = 4_000;

/** Times in ms after the click; absent where something did not happen. */
type JoinTimes = Partial<Record<'ice' | 'dtls' | 'frame' | 'top', number>>;

/** Joins, and reads in the page when things happen. */
async function join(viewer: CallParticipant, height: number): Promise<JoinTimes> {
  await viewer.page.evaluate((top) => {
    const times: JoinTimes = {};
    Object.assign(window, { joinTimes: times });
    let clicked = 0;
    const record = (name: keyof JoinTimes) => {
      times[name] ??= performance.now() - clicked;
    };
    const read = async () => {
      for (const connection of window.connections) {
        if (['connected', 'completed'].includes(connection.iceConnectionState)) record('ice');
        if (connection.connectionState === 'connected') record('dtls');
        for (const report of (await connection.getStats()).values()) {
          if (report.type !== 'inbound-rtp' || report.kind !== 'video' || !report.framesDecoded) continue;
          record('frame');
          if (report.frameHeight >= top) record('top');
        }
      }
      setTimeout(() => void read(), 5);
    };
    const start = () => {
      clicked = performance.now();
      void read();
    };
    addEventListener('click', start, { capture: true, once: true });
  }, height);
  await viewer.requestJoin();
  await sleep(STAY_MS);
  return viewer.page.evaluate(() => (window as unknown as { joinTimes: JoinTimes }).joinTimes);
}

function quantiles(times: JoinTimes[], name: keyof JoinTimes): string {
  const sorted = times.map((it) => it[name] ?? Number.POSITIVE_INFINITY).sort((one, two) => one - two);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]?.toFixed(0);
  return `${name} | ${at(0)} | ${at(0.5)} | ${at(0.95)}`;
}

/** Returns how many keyframes of its best layer a publisher has encoded. */
function keyframes(publisher: CallParticipant): Promise<number> {
  return publisher.page.evaluate(async () => {
    let [top, count] = [0, 0];
    for (const connection of window.connections) {
      for (const report of (await connection.getStats()).values()) {
        if (report.type !== 'outbound-rtp' || report.kind !== 'video' || report.frameHeight < top) continue;
        [top, count] = [Number(report.frameHeight), Number(report.keyFramesEncoded)];
      }
    }
    return count;
  });
}

test('joining on a good line', async ({ call }) => {
  test.setTimeout(60_000 + JOINS * 10_000);
  const [down] = await call.startServerBehindRelays(1);
  if (!down) throw new Error('no relay was started');
  await down.command(`both delay=${DELAY} queue=300 rate=8000000`);
  const ana = await call.join('ana', { options: { width: '1280' } });
  await sleep(8_000);
  const times: JoinTimes[] = [];
  const before = await keyframes(ana);
  for (let count = 0; count < JOINS; count += 1) {
    const arrivals = Array.from({ length: AT_ONCE }, (_, index) =>
      call.open(`ben ${index}`, {
        browser: BROWSER,
        room: ROOM,
        options: { width: '320' },
        relayPort: down.port,
        viewport: { width: 1_600, height: 1_000 },
      }),
    );
    const viewers = await Promise.all(arrivals);
    await sleep(1_000);
    times.push(...(await Promise.all(viewers.map((viewer) => join(viewer, 720)))));
    for (const viewer of viewers) await viewer.closeWindow();
  }
  const names = ['ice', 'dtls', 'frame', 'top'] as const;
  console.log(`\nms after the click | least | median | p95\n${names.map((name) => quantiles(times, name)).join('\n')}`);
  console.log(`keyframes of the publisher's top layer for each join: ${(await keyframes(ana) - before) / times.length}`);
});
