/**
 * Cost of joiners for a publisher in Chromium: the keyframes that the server requests of it while peers of the load
 * generator join, six a second.
 */
import { test } from '../tests/callFixture';
import { sleep } from '../tests/server';
import { API_KEY, roomOfPeers, startPeers } from './loadPeers';

const JOINS_PER_SECOND = 6;
const PEERS = 72;
/** Time in which the publisher's camera starts, and length of the measurement in seconds. */
const SETTLING_MS = 5_000;
const MEASURED_S = 5;

test('joiners of a call with one camera', async ({ call }) => {
  const server = await call.startServer({ API_KEY });
  const stopPeers = startPeers(server.url, JOINS_PER_SECOND, ['--publishers', '1', '--subscribers', String(PEERS), '--video-kbps', '0']);
  try {
    const ana = await call.open('ana', { room: await roomOfPeers(server.url), options: { width: '1280' } });
    await ana.join();
    await sleep(SETTLING_MS);
    const read = () =>
      ana.page.evaluate(async () => {
        const counts: Record<string, { requests: number; keyframes: number }> = {};
        for (const connection of window.connections) {
          for (const report of (await connection.getStats()).values()) {
            if (report.type !== 'outbound-rtp' || report.kind !== 'video') continue;
            counts[`${report.frameHeight}p`] = { requests: Number(report.pliCount ?? 0), keyframes: Number(report.keyFramesEncoded ?? 0) };
          }
        }
        return counts;
      });
    const before = await read();
    await sleep(MEASURED_S * 1_000);
    const after = await read();
    for (const [layer, { requests, keyframes }] of Object.entries(after)) {
      const { requests: formerRequests = 0, keyframes: formerKeyframes = 0 } = before[layer] ?? {};
      console.log(
        `${layer}: ${requests - formerRequests} requests and ${keyframes - formerKeyframes} keyframes for ${JOINS_PER_SECOND * MEASURED_S} joins in ${MEASURED_S} s`,
      );
    }
  } finally {
    stopPeers();
  }
});
