/** Shared screens: what the others see of them, beside the faces. */
import { NIGHTLY, ROOM, SMALL_CAMERA, expect, test, type CallParticipant } from './callFixture';
import { expectDecoded, shareText } from './sharing';

const DESKTOP = { viewport: { width: 1_280, height: 800 }, ...SMALL_CAMERA };

const screenOf = (viewer: CallParticipant, sharer: CallParticipant) =>
  viewer.page.getByRole('figure', { name: `${sharer.name}'s screen`, exact: true });
const share = (participant: CallParticipant) => participant.page.getByRole('button', { name: 'Share screen' }).click();
const stop = (participant: CallParticipant) => participant.page.getByRole('button', { name: 'Stop sharing' }).first().click();

test('a screen of 1080 lines arrives whole beside the face, which stays when it is gone', async ({ call }) => {
  const ana = await call.join('ana', DESKTOP);
  const ben = await call.join('ben', DESKTOP);
  await ben.expectVideoFrom(ana);
  await shareText(ana, 1_920, 1_080);
  await share(ana);
  await expect(screenOf(ben, ana)).toBeVisible();
  await expectDecoded(ben, 'Screen shared by ana', 1_920, 1_080);
  await ben.expectVideoFrom(ana);
  await expect(ben.page.getByLabel('Screen shared by ana')).toHaveCSS('object-fit', 'contain');
  const [screen, face] = await Promise.all([screenOf(ben, ana).boundingBox(), ben.tileOf(ana).boundingBox()]);
  expect(screen && face && screen.width * screen.height > 4 * face.width * face.height, 'the screen is large').toBe(true);
  expect(screen && face && screen.x + screen.width <= face.x, 'the face is beside the screen').toBe(true);
  // The one who shares sees what the others see.
  await expect(ana.page.getByLabel('What others see of your screen')).toBeVisible();
  await stop(ana);
  await expect(screenOf(ben, ana)).toHaveCount(0);
  await ben.expectVideoFrom(ana);
});

test('somebody who joins later sees the screen, and hears its sound', async ({ call }) => {
  const ana = await call.join('ana', { ...DESKTOP, options: { camera: '0', mic: '0' } });
  await share(ana);
  const ben = await call.join('ben', { viewport: { width: 390, height: 844 }, options: { camera: '0' } });
  await expectDecoded(ben, 'Screen shared by ana', 1_280, 720);
  const energy = () =>
    ben.page.evaluate(async () => {
      for (const connection of window.connections) {
        for (const report of (await connection.getStats()).values()) {
          if (report.type === 'inbound-rtp' && report.kind === 'audio') return Number(report.totalAudioEnergy);
        }
      }
      return 0;
    });
  await expect(ben.page.getByLabel("Sound of ana's screen")).toHaveCount(1);
  await expect.poll(energy, { message: 'the sound of the screen' }).toBeGreaterThan(1e-5);
});

test("the browser's own button ends the screen for everybody", async ({ call }) => {
  const ana = await call.join('ana', DESKTOP);
  const ben = await call.join('ben', DESKTOP);
  await share(ana);
  await expect(screenOf(ben, ana)).toBeVisible();
  await ana.page.getByLabel('What others see of your screen').evaluate((element) => {
    const [track] = ((element as HTMLVideoElement).srcObject as MediaStream).getVideoTracks();
    track?.stop();
    track?.dispatchEvent(new Event('ended'));
  });
  await expect(screenOf(ben, ana)).toHaveCount(0);
  await expect(ana.page.getByRole('button', { name: 'Share screen' })).toBeVisible();
});

test('two screens are two tiles, and a change to motion keeps both', async ({ call }) => {
  const ana = await call.join('ana', { ...DESKTOP, options: { camera: '0' } });
  const ben = await call.join('ben', { ...DESKTOP, options: { camera: '0' } });
  await share(ana);
  await expect(screenOf(ben, ana)).toBeVisible();
  await ana.page.getByRole('button', { name: 'Your shared screens' }).click();
  await ana.page.getByRole('button', { name: 'Share another screen' }).click();
  await expect(ben.page.getByRole('figure', { name: "ana's screen 2" })).toBeVisible();
  await ana.page.getByRole('button', { name: 'Your shared screens' }).click();
  await ana.page.getByText('Smooth, for films').first().click();
  await expectDecoded(ben, 'Screen 2 shared by ana', 1_280, 720);
  await expect(ben.page.getByRole('figure', { name: /^ana's screen/ })).toHaveCount(2);
});

test('a screen comes back after a reload of the viewer, and goes with the one who shares', async ({ call }) => {
  const ana = await call.join('ana', DESKTOP);
  const ben = await call.join('ben', { ...DESKTOP, room: ROOM });
  await share(ana);
  await expectDecoded(ben, 'Screen shared by ana', 1_280, 720);
  await ben.reload();
  await ben.expectConnected();
  await expectDecoded(ben, 'Screen shared by ana', 1_280, 720);
  await ana.leave();
  await expect(screenOf(ben, ana)).toHaveCount(0);
});

for (const codec of ['vp9', 'h264']) {
  test(`a screen arrives whole in ${codec.toUpperCase()} too`, NIGHTLY, async ({ call }) => {
    const ana = await call.join('ana', { options: { camera: '0', mic: '0', codec } });
    const ben = await call.join('ben', { ...DESKTOP, options: { camera: '0', mic: '0' } });
    await share(ana);
    await expectDecoded(ben, 'Screen shared by ana', 1_280, 720);
    await stop(ana);
    await expect(screenOf(ben, ana)).toHaveCount(0);
  });
}
