/** The page with colours that the system forces, zoomed to 200 %, and with reduced motion. */
import type { Locator } from '@playwright/test';
import { NO_MEDIA, ROOM, expect, test } from './callFixture';
import { WITHOUT_DEVICES } from './chatPage';

/** A window of 1280×800 that is zoomed to 200 %. */
const ZOOMED = { width: 640, height: 400 };

/** Returns the style of the frame that marks who speaks. */
function frameOf(tile: Locator) {
  return tile.evaluate((element) => {
    const { opacity, borderTopColor } = getComputedStyle(element, '::after');
    return { opacity, borderTopColor };
  });
}

async function boxOf(locator: Locator) {
  const box = await locator.boundingBox();
  if (!box) throw new Error('the element has no box');
  return box;
}

test('with forced colours only the tile of who speaks has a frame, and buttons have edges', async ({ call }) => {
  const ana = await call.open('ana', { room: ROOM, options: { camera: '0' } });
  await ana.replaceMicrophoneByTone();
  await ana.join();
  const ben = await call.open('ben', { room: ROOM, ...WITHOUT_DEVICES });
  await ben.page.emulateMedia({ forcedColors: 'active' });
  await ben.join();
  await expect(ben.tileOf(ana).getByRole('img', { name: 'Speaking' })).toBeVisible();
  await expect.poll(() => frameOf(ben.tileOf(ana))).toMatchObject({ opacity: '1' });
  expect(await frameOf(ben.page.getByRole('figure', { name: 'ben (you)' }))).toMatchObject({ opacity: '0' });
  for (const name of ['Unmute microphone (M)', 'Turn camera on (V)', 'Devices', 'Leave']) {
    const button = ben.page.getByRole('region', { name: 'Call controls' }).getByTitle(name, { exact: true });
    expect(await button.evaluate((it) => parseFloat(getComputedStyle(it).borderTopWidth)), name).toBeGreaterThan(0);
  }
  const people = ben.page.getByRole('button', { name: /^Participants \(/ });
  const groundOf = () => people.evaluate((it) => getComputedStyle(it).backgroundColor);
  const closed = await groundOf();
  await people.click();
  await expect.poll(groundOf).not.toBe(closed);
});

test('a page zoomed to 200 % shows the preview beside its button, and no control over a tile', NO_MEDIA, async ({ call }) => {
  const ana = await call.open('ana', { room: ROOM, viewport: ZOOMED });
  const join = ana.page.getByRole('button', { name: 'Join now' });
  await join.scrollIntoViewIfNeeded();
  await expect(join).toBeInViewport({ ratio: 1 });
  await expect(ana.page.getByRole('region', { name: 'Preview' })).toBeInViewport({ ratio: 0.9 });
  expect(await ana.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(ZOOMED.width);
  await ana.join();
  const ben = await call.join('ben', WITHOUT_DEVICES);
  const controls = await boxOf(ana.page.getByRole('region', { name: 'Call controls' }));
  expect(controls.y + controls.height).toBeLessThanOrEqual(ZOOMED.height);
  for (const tile of [ana.tileOf(ben), ana.page.getByRole('figure', { name: 'ana (you)' })]) {
    await expect(tile).toBeInViewport({ ratio: 1 });
    const box = await boxOf(tile);
    expect(box.y + box.height).toBeLessThanOrEqual(controls.y);
    expect(box.height).toBeGreaterThan(60);
  }
  await expect(ana.page.getByRole('button', { name: 'Leave' })).toBeInViewport({ ratio: 1 });
});

test('with reduced motion nothing moves', NO_MEDIA, async ({ call }) => {
  await call.startServer({ WATERSMEET_ROOM_POLICY: 'approval' });
  await call.join('ana', WITHOUT_DEVICES);
  const ben = await call.open('ben', { room: ROOM, ...WITHOUT_DEVICES });
  await ben.requestJoin();
  await expect(ben.page.getByRole('heading', { name: 'Waiting for the host' })).toBeVisible();
  const animations = () => ben.page.evaluate(() => document.getAnimations().length);
  await expect.poll(animations).toBeGreaterThan(0);
  await ben.page.emulateMedia({ reducedMotion: 'reduce' });
  await expect.poll(animations).toBe(0);
});
