/**
 * A viewer in Chromium whose media comes over TCP (RFC 6544) on a line that loses packets: what is seen and heard. It
 * needs a network of its own: `scripts/private-network npm --prefix web run bench -- lossy-tcp`.
 */
import { SMALL_CAMERA, expect, test } from '../tests/callFixture';
import {
  concealedPercent,
  framesPerSecond,
  frozenPercent,
  longestPauseMs,
  readPageReports,
  recordLine,
  videoKbps,
} from '../tests/lineQuality';
import { HAS_PRIVATE_NETWORK, NetworkNamespace } from '../tests/networkNamespace';

/** Shares of the packets that are lost on the way to the viewer, one after the other. */
const LOSSES = [0, 0.01, 0.02, 0.05];
const SECONDS = 25;
const CAMERA_FPS = 24;

/** TCP repeats what is lost: nothing counts what is offered to the line. */
const nothingCounted = { packets: 0, bytes: 0, lost: 0, queueDrops: 0, cutDrops: 0 };
const counts = () => Promise.resolve({ up: nothingCounted, down: nothingCounted, firstSentMs: [] });

test('media over TCP with losses', async ({ call }) => {
  test.skip(!HAS_PRIVATE_NETWORK, 'needs a network of its own: scripts/private-network');
  test.setTimeout(240_000);
  const device = NetworkNamespace.create();
  try {
    const server = await call.startServer({ LISTEN_IP: '0.0.0.0', WATERSMEET_ONE_PORT: 'true', WATERSMEET_TLS_SELF_SIGNED: 'true' });
    device.allowOnlyPort(server.port);
    const base = `https://${device.hostAddress}:${server.port}`;
    const browser = await device.launchChromium(CAMERA_FPS, ['--ignore-certificate-errors']);
    try {
      const ana = await call.join('ana', { options: { width: '1280' } });
      const ben = await call.join('ben', { ...SMALL_CAMERA, base, inBrowser: browser, viewport: { width: 1_600, height: 1_000 } });
      await ben.turnCameraOff();
      await ben.expectVideoFrom(ana);
      expect(await ben.mediaProtocols()).toEqual(['tcp']);
      for (const share of LOSSES) {
        device.loseArrivals(share);
        const samples = await recordLine(() => readPageReports(ben, ana), { counts }, SECONDS);
        const row = [
          `${100 * share} % lost`,
          `${videoKbps(samples).toFixed(0)} kbit/s of video`,
          `${concealedPercent(samples).toFixed(2)} % concealed`,
          `${frozenPercent(samples).toFixed(1)} % frozen`,
          `longest pause ${longestPauseMs(samples)} ms`,
          `${framesPerSecond(samples).toFixed(1)} fps`,
          `${samples.at(-1)?.height ?? 0}p`,
        ];
        console.log(row.join(' | '));
      }
    } finally {
      await browser.close();
    }
  } finally {
    device.remove();
  }
});
