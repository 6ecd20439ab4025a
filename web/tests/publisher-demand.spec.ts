/**
 * What a publisher in Chromium sends follows what the others are sent: encodings that nobody is sent are off, and
 * come back when somebody is.
 */
import { expect, test, type Call, type CallParticipant } from './callFixture';
import { measureSentHeights } from './layerStats';
import { sleep } from './server';

const SMALL = { width: 360, height: 420 };
const LARGE = { width: 1_600, height: 1_000 };

/** Heights of the encodings that were sent within a moment. */
async function sentHeights(publisher: CallParticipant): Promise<number[]> {
  const heights = await measureSentHeights(publisher);
  await sleep(500);
  return heights();
}

async function joinPair(call: Call, viewport: { width: number; height: number }) {
  await call.startServer({ WATERSMEET_SHARDS: '1', MEDIASOUP_LISTEN_IP: '127.0.0.1' });
  const ana = await call.join('ana', { options: { width: '1280' } });
  await expect.poll(() => sentHeights(ana), { message: 'sent at first' }).not.toEqual([]);
  const ben = await call.open('ben', { room: 'tea-at-four', options: { width: '320' }, viewport });
  return { ana, ben };
}

test('a camera that nobody watches is not sent until somebody does', async ({ call }) => {
  const { ana, ben } = await joinPair(call, LARGE);
  await expect.poll(() => sentHeights(ana), { timeout: 20_000, message: 'nobody watches' }).toEqual([]);
  await ben.join();
  await ben.turnCameraOff();
  await ben.expectVideoFrom(ana);
  await expect.poll(() => sentHeights(ana)).toContain(720);
  await ben.leave();
  await expect.poll(() => sentHeights(ana), { timeout: 8_000, message: 'ben has left' }).toEqual([]);
});

test('the best encoding is off while all tiles are small, and back at once', async ({ call }) => {
  const { ana, ben } = await joinPair(call, SMALL);
  await ben.join();
  await ben.expectVideoFrom(ana);
  await expect.poll(() => sentHeights(ana), { timeout: 8_000, message: 'small tiles' }).not.toContain(720);
  expect(await sentHeights(ana)).toContain(180);
  await ben.page.setViewportSize(LARGE);
  await ben.turnCameraOff();
  await expect.poll(() => sentHeights(ana), { message: 'a large tile' }).toContain(720);
  await ben.expectVideoFrom(ana);
});
