/** The page itself: what it says when something is missing, and that it keeps to itself. */
import type { Page } from '@playwright/test';
import { expect, test } from './callFixture';

/** Has the browser refuse devices, as a person or a missing plug would. */
async function refuseDevices(page: Page, name: string): Promise<void> {
  await page.addInitScript((reason) => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('refused', reason));
  }, name);
  await page.reload();
}

test('a refused permission is explained and keeps nobody out', async ({ people }) => {
  const ana = await people.joins('ana');
  const ben = await people.comes('ben', { room: 'tea-at-four' });
  await refuseDevices(ben.page, 'NotAllowedError');
  await expect(ben.page.getByRole('alert')).toContainText('may not use your camera and microphone');
  await ben.joins();
  await ben.sees(ana);
  await ben.hears(ana);
  await ana.seesNoPictureOf(ben);
});

test('a machine without devices is told so', async ({ people }) => {
  const ana = await people.comes('ana', { room: 'tea-at-four' });
  await refuseDevices(ana.page, 'NotFoundError');
  await expect(ana.page.getByRole('alert')).toContainText('No camera or microphone was found');
  await ana.joins();
});

test('a page that is not secure says why there is no camera', async ({ people }) => {
  const ana = await people.comes('ana', { room: 'tea-at-four' });
  await ana.page.addInitScript(() => {
    Object.defineProperty(navigator, 'mediaDevices', { value: undefined });
  });
  await ana.page.reload();
  await expect(ana.page.getByRole('alert')).toContainText('only on a secure page');
  await ana.joins();
});

test('a server that is gone is said at the preview', async ({ people }) => {
  const server = await people.meetAt({});
  const ana = await people.comes('ana', { room: 'tea-at-four' });
  await server.kill();
  await ana.page.getByRole('button', { name: 'Join now' }).click();
  await expect(ana.page.getByRole('alert')).toContainText('The server cannot be reached');
  await server.restart();
  await ana.joins();
});

test('an empty room name is asked for, a pasted link is understood', async ({ people }) => {
  const { page } = await people.comes('ana');
  await page.getByRole('button', { name: 'Join' }).click();
  await expect(page.getByRole('alert')).toHaveText('Type a room name or paste a link first.');
  await page.getByLabel('Room name or link').fill('https://elsewhere.example/?room=blue-bay');
  await page.getByRole('button', { name: 'Join' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('blue-bay');
});

test('the name and the switches are remembered', async ({ people }) => {
  const ana = await people.joins('ana');
  await ana.mutes();
  await ana.reloads();
  await ana.isConnected();
  await expect(ana.page.getByRole('button', { name: 'Unmute microphone' })).toBeVisible();
  await ana.leaves();
  await ana.page.getByRole('button', { name: 'Home' }).click();
  await ana.page.getByRole('button', { name: 'New meeting' }).click();
  await expect(ana.page.getByLabel('Your name')).toHaveValue('ana');
});

test('the microphone level moves before joining', async ({ people }) => {
  const { page } = await people.comes('ana', { room: 'tea-at-four' });
  await page.getByLabel('Your name').click();
  await expect
    .poll(async () => Number(await page.getByRole('meter').getAttribute('aria-valuenow')), { intervals: [50] })
    .toBeGreaterThan(5);
});

test('letters switch microphone, camera and list, but not while typing', async ({ people }) => {
  const ana = await people.comes('ana', { room: 'tea-at-four' });
  await ana.page.getByLabel('Your name').fill('mvp');
  await ana.joins();
  await ana.page.keyboard.press('m');
  await expect(ana.page.getByRole('button', { name: 'Unmute microphone' })).toBeVisible();
  await ana.page.keyboard.press('v');
  await expect(ana.page.getByRole('button', { name: 'Turn camera on' })).toBeVisible();
  await ana.page.keyboard.press('p');
  const list = ana.page.getByRole('complementary', { name: 'Participants' });
  await expect(list.getByRole('listitem', { name: 'ana (you)' }).getByRole('img', { name: 'Muted' })).toBeVisible();
});

test('the link is copied, or shown where copying is forbidden', async ({ people }) => {
  const ana = await people.joins('ana');
  await ana.page.evaluate(() => {
    navigator.clipboard.writeText = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
  });
  await ana.page.getByRole('button', { name: 'Copy link' }).first().click();
  await expect(ana.page.getByLabel('Copy this link')).toHaveValue(/\/\?room=tea-at-four$/);
});

test('on a phone nothing hangs over the edge', async ({ people }) => {
  const ana = await people.comes('ana', { room: 'a-room-with-quite-a-long-name-to-read', viewport: { width: 360, height: 640 } });
  const overhang = () => ana.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(await overhang()).toBe(0);
  await ana.joins();
  expect(await overhang()).toBe(0);
  await expect(ana.page.getByRole('button', { name: 'Leave' })).toBeInViewport({ ratio: 1 });
  await expect(ana.page.getByRole('button', { name: 'Participants (1)' })).toBeInViewport({ ratio: 1 });
});

test('the page asks nobody else for anything and breaks no rule of its own', async ({ people }) => {
  const ana = await people.comes('ana', { room: 'tea-at-four' });
  const foreign: string[] = [];
  const complaints: string[] = [];
  const own = new URL(ana.page.url()).host;
  ana.page.on('request', (request) => {
    if (new URL(request.url()).host !== own) foreign.push(request.url());
  });
  ana.page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  ana.page.on('pageerror', (error) => complaints.push(error.message));
  await ana.page.reload();
  await ana.joins();
  await ana.leaves();
  expect(foreign).toEqual([]);
  expect(complaints).toEqual([]);
});
