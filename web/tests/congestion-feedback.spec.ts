/**
 * A viewer in Chromium that reports arrivals by RFC 8888 in place of transport-wide feedback: what it is sent follows
 * its line. Stock Chromium does so behind a field trial, and mediasoup-client lists only what the
 * router lists; the test adds the feedback to the capabilities that the page sends. Without that, 1,900 kbit/s are offered.
 */
import { type CallParticipant, expect, NIGHTLY, ROOM, test } from './callFixture';
import { between, mostOfferedKbps, readPageReports, recordLine } from './lineQuality';

const LINE = 'delay=20 queue=300';
/** The line carries the camera's lower layers with this bitrate, but not the highest. */
const SLOW_KBPS = 700;
/** In the first second after a change nobody can know of it, and in the next the queue drains. */
const UNKNOWN_MS = 2_000;
/** What may be offered to the line then, as a multiple of what it carries. */
const OFFERED_MAX = 1.5;

/** Lists the feedback of RFC 8888 in the capabilities with which the page consumes. */
async function listCongestionFeedback({ page }: CallParticipant): Promise<void> {
  await page.evaluate(() => {
    interface Codec {
      rtcpFeedback?: { type: string; parameter: string }[];
    }
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (this: WebSocket, data: Parameters<typeof send>[0]) {
      if (typeof data !== 'string') return send.call(this, data);
      const frame = JSON.parse(data, (key, value: unknown) => {
        if (key !== 'rtpCapabilities') return value;
        const capabilities = value as { codecs: Codec[] };
        for (const codec of capabilities.codecs) codec.rtcpFeedback?.push({ type: 'ack', parameter: 'ccfb' });
        return capabilities;
      }) as unknown;
      return send.call(this, JSON.stringify(frame));
    };
  });
}

test('what a viewer is sent follows the feedback of RFC 8888', NIGHTLY, async ({ call }) => {
  test.setTimeout(120_000);
  const [down] = await call.startServerBehindRelays(1);
  if (!down) throw new Error('no relay was started');
  await down.command(`both ${LINE}`);
  const ana = await call.join('ana', { options: { width: '1280' } });
  const ben = await call.open('ben', {
    browser: 'chromium-rfc8888',
    room: ROOM,
    options: { width: '320' },
    relayPort: down.port,
    viewport: { width: 1_600, height: 1_000 },
  });
  await listCongestionFeedback(ben);
  await ben.join();
  await ben.turnCameraOff();
  await ben.expectVideoFrom(ana);
  await down.command(`down ${LINE} rate=${SLOW_KBPS * 1_000}`);
  const samples = await recordLine(() => readPageReports(ben, ana), down, 15);
  const offered = mostOfferedKbps(between(samples, UNKNOWN_MS));
  test.info().annotations.push({ type: 'offered', description: `${offered.toFixed(0)} kbit/s of ${SLOW_KBPS}` });
  expect(offered / SLOW_KBPS, 'offered').toBeLessThan(OFFERED_MAX);
});
