/** Layouts of a call: pages, pins, and what is requested of those who are seen. */
import { ROOM, SMALL_CAMERA, expect, test, type Call, type CallParticipant } from './callFixture';
import { decodedVideo, expectDecoded, holdCameraUpright, recordSent, videosArriving } from './sharing';

const DESKTOP = { width: 1_280, height: 800 };
/** So small that a page has the own tile and one other. */
const TWO_TILES = { width: 340, height: 460 };
const NO_CAMERA = { options: { camera: '0', mic: '0' } };

async function openLayoutMenu({ page }: CallParticipant): Promise<void> {
  await page.getByRole('button', { name: 'Layout' }).click();
}

async function chooseLayout(participant: CallParticipant, name: 'Automatic' | 'Grid' | 'Speaker'): Promise<void> {
  await openLayoutMenu(participant);
  await participant.page.getByRole('radio', { name }).check();
  await participant.page.keyboard.press('Escape');
}

const area = async ({ page }: CallParticipant, name: string) => {
  const box = await page.getByRole('figure', { name, exact: true }).boundingBox();
  return box ? box.width * box.height : 0;
};

for (const [width, height] of [[640, 360], [320, 180]] as const) {
  test(`a camera of ${width}×${height} arrives as such in a large tile`, async ({ call }) => {
    const ana = await call.join('ana', { options: { width: String(width) } });
    const ben = await call.join('ben', { ...NO_CAMERA, viewport: DESKTOP });
    await ben.expectVideoFrom(ana);
    await expectDecoded(ben, "ana's camera", width, height);
  });
}

test('a camera of 640×360 arrives in half its size in a small tile', async ({ call }) => {
  await call.join('ana', { options: { width: '640' } });
  const ben = await call.join('ben', { ...NO_CAMERA, viewport: DESKTOP });
  await expectDecoded(ben, "ana's camera", 640, 360);
  const carla = await call.join('carla', NO_CAMERA);
  await expect(ben.tileOf(carla)).toBeVisible();
  await ben.tileOf(carla).hover();
  await ben.page.getByRole('button', { name: 'Pin carla' }).click();
  await expectDecoded(ben, "ana's camera", 320, 180);
});

test('a camera that is held upright is shown whole in a wide tile', async ({ call }) => {
  const ana = await call.open('ana', { room: ROOM });
  await holdCameraUpright(ana);
  await ana.join();
  const ben = await call.join('ben', { ...NO_CAMERA, viewport: DESKTOP });
  await expectDecoded(ben, "ana's camera", 360, 640);
  await expect(ben.page.getByLabel("ana's camera")).toHaveCSS('object-fit', 'contain');
});

test('only the page that is shown is received', async ({ call }) => {
  const senders: CallParticipant[] = [];
  for (const name of ['ana', 'ben', 'carla']) senders.push(await call.join(name, { ...SMALL_CAMERA, viewport: TWO_TILES }));
  const [ana, ben, carla] = senders as [CallParticipant, CallParticipant, CallParticipant];
  // The first page shows the speaker: here that is always ana.
  for (const silent of [ben, carla]) await silent.mute();
  const viewer = await call.open('dora', { room: ROOM, ...NO_CAMERA, viewport: TWO_TILES });
  const frames = recordSent(viewer.page);
  await viewer.page.reload();
  await viewer.join();
  await expect(viewer.page.getByRole('navigation', { name: 'Page 1 of 3' })).toBeVisible();
  await viewer.expectVideoFrom(ana);
  await expect(viewer.tileOf(carla)).toHaveCount(0);
  await expect.poll(() => videosArriving(viewer.page), { message: 'videos of the first page' }).toBe(1);
  for (let page = 2; page <= 3; page += 1) await viewer.page.getByRole('button', { name: 'Next page' }).click();
  await viewer.expectVideoFrom(carla);
  await expect(viewer.tileOf(ana)).toHaveCount(0);
  await expect.poll(() => videosArriving(viewer.page), { message: 'videos of the last page' }).toBe(1);
  expect(frames.filter(({ type }) => type === 'pauseConsumer').length).toBeGreaterThan(0);
  // Everybody is heard, on whatever page.
  for (const silent of [ben, carla]) await silent.unmute();
  for (const other of [ana, ben, carla]) await viewer.expectAudioFrom(other);
});

async function threeWithViewer(call: Call): Promise<{ ana: CallParticipant; ben: CallParticipant; viewer: CallParticipant }> {
  const ana = await call.join('ana', { options: { width: '1280' } });
  const ben = await call.join('ben', NO_CAMERA);
  const viewer = await call.join('carla', { ...NO_CAMERA, viewport: DESKTOP });
  await viewer.expectVideoFrom(ana);
  return { ana, ben, viewer };
}

test('a pinned participant is large, and sent in full', async ({ call }) => {
  const { ana, ben, viewer } = await threeWithViewer(call);
  await expect.poll(async () => (await decodedVideo(viewer.page, "ana's camera")).height).toBe(360);
  const before = await area(viewer, 'ben');
  await viewer.tileOf(ana).hover();
  await viewer.page.getByRole('button', { name: 'Pin ana' }).click();
  await expectDecoded(viewer, "ana's camera", 1_280, 720);
  expect(await area(viewer, 'ana')).toBeGreaterThan(2 * before);
  expect(await area(viewer, 'ben')).toBeLessThan(before);
  await viewer.tileOf(ana).hover();
  await viewer.page.getByRole('button', { name: 'Unpin ana' }).click();
  await expect.poll(async () => (await area(viewer, 'ana')) === (await area(viewer, 'ben'))).toBe(true);
  await ben.leave();
});

test('the speaker layout shows who speaks large, and the own tile can be hidden', async ({ call }) => {
  const ana = await call.join('ana', NO_CAMERA);
  const ben = await call.open('ben', { room: ROOM, options: { camera: '0' } });
  await ben.replaceMicrophoneByTone();
  await ben.join();
  await ben.mute();
  const viewer = await call.join('carla', { ...NO_CAMERA, viewport: DESKTOP });
  await chooseLayout(viewer, 'Speaker');
  await expect.poll(async () => (await area(viewer, 'ana')) > 4 * (await area(viewer, 'ben'))).toBe(true);
  const own = viewer.page.getByRole('figure', { name: 'carla (you)' });
  await expect(own).toBeVisible();
  await openLayoutMenu(viewer);
  await viewer.page.getByRole('checkbox', { name: 'Hide my tile' }).check();
  await viewer.page.keyboard.press('Escape');
  await expect(own).toHaveCount(0);
  await ben.unmute();
  await expect.poll(async () => (await area(viewer, 'ben')) > 4 * (await area(viewer, 'ana'))).toBe(true);
  await ana.leave();
});

test('a picture that stands still is dimmed within 3 s and says for how long', async ({ call }) => {
  const ana = await call.open('ana', { room: ROOM, ...SMALL_CAMERA });
  const setPacketLoss = await ana.emulatePacketLoss();
  await ana.join();
  const ben = await call.join('ben', NO_CAMERA);
  await ben.expectVideoFrom(ana);
  await setPacketLoss(100);
  const note = ben.tileOf(ana).getByText(/The picture has stood still for \d+ s/);
  const start = Date.now();
  await expect(note).toBeVisible({ timeout: 3_500 });
  console.log(`a still picture was marked after ${Date.now() - start} ms`);
  await expect(ben.tileOf(ana)).toHaveClass(/frozen/);
  await setPacketLoss(0);
  await expect(note).toHaveCount(0);
});
