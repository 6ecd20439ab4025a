/**
 * A device that gets another address, as on the way from one network to the next: the call goes on. It needs a network
 * of its own, which `scripts/private-network` gives to a command.
 */
import { NIGHTLY, SMALL_CAMERA, expect, test } from './callFixture';
import { HAS_PRIVATE_NETWORK, NetworkNamespace } from './networkNamespace';
import { sleep } from './server';

/** Chromium on Linux waits for this time after a change of addresses, and gives WebRTC the new one then. */
const BROWSER_MS = 2_000;
/** Time until the page finds out that nothing arrives. No event tells it of a change that takes no time. */
const SILENCE_MS = 2_500;
/** How long the device has no address, and how soon pictures are back, counted from the new one. */
const CHANGES = [
  { gapMs: 2_500, backMsMax: BROWSER_MS + 2_000 },
  { gapMs: 0, backMsMax: SILENCE_MS + 2_500 },
];
const CAMERA_FPS = 24;
/** Time for which the jitter buffer may still release pictures after a change without a gap. */
const JITTER_BUFFER_MS_MAX = 300;

test('pictures are back within seconds after a new address of the device, whether or not it had none in between', NIGHTLY, async ({ call }) => {
  test.skip(!HAS_PRIVATE_NETWORK, 'needs a network of its own: scripts/private-network');
  const device = NetworkNamespace.create();
  try {
    const server = await call.startServer({ LISTEN_IP: '0.0.0.0' });
    const base = `http://${device.hostAddress}:${server.port}`;
    // Pages get cameras there, though they are loaded by plain HTTP.
    const browser = await device.launchChromium(CAMERA_FPS, [`--unsafely-treat-insecure-origin-as-secure=${base}`]);
    try {
      const ana = await call.join('ana', { ...SMALL_CAMERA, base, inBrowser: browser });
      const ben = await call.join('ben', SMALL_CAMERA);
      await ana.expectVideoFrom(ben);
      await ben.expectVideoFrom(ana);
      const directions = [await ana.recordDecodedFrames(ben), await ben.recordDecodedFrames(ana)];
      for (const { gapMs, backMsMax } of CHANGES) {
        device.removeAddress();
        await sleep(gapMs);
        device.addOtherAddress();
        const changedAt = Date.now();
        const backMs = async () => Promise.all(directions.map(async (decoded) => firstAfterGap(await decoded(changedAt))));
        await expect.poll(async () => Math.max(...(await backMs())), { timeout: 30_000 }).toBeLessThan(Infinity);
        const [onDevice = 0, ofDevice = 0] = await backMs();
        console.log(`after ${gapMs} ms without address, pictures are back ${onDevice} ms (on the device) and ${ofDevice} ms (of it) after the new one`);
        expect.soft(Math.max(onDevice, ofDevice), `${gapMs} ms`).toBeLessThanOrEqual(backMsMax);
        await ana.expectConnected();
        await ana.expectVideoFrom(ben);
        await ben.expectVideoFrom(ana);
      }
    } finally {
      await browser.close();
    }
  } finally {
    device.remove();
  }
});

/**
 * Returns when pictures came again after an interruption, from the times at which they were decoded. Those of the jitter
 * buffer come within the first moment.
 */
function firstAfterGap(times: number[]): number {
  return times.find((ms) => ms > JITTER_BUFFER_MS_MAX) ?? Infinity;
}
