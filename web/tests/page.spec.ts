/** The page: error messages, settings, shortcuts, layout and its own security policy. */
import type { Page } from '@playwright/test';
import { NO_MEDIA, ROOM, expect, test } from './callFixture';

/** Makes getUserMedia fail with this DOMException. */
async function refuseDevices(page: Page, name: string): Promise<void> {
  await page.addInitScript((reason) => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('refused', reason));
  }, name);
  await page.reload();
}

test('a refused permission is explained and does not prevent joining', async ({ call }) => {
  const ana = await call.join('ana');
  const ben = await call.open('ben', { room: ROOM });
  await refuseDevices(ben.page, 'NotAllowedError');
  await expect(ben.page.getByRole('alert')).toContainText('Your system does not let this browser use the camera and microphone.');
  await ben.join();
  await ben.expectVideoFrom(ana);
  await ben.expectAudioFrom(ana);
  await ana.expectNoVideoFrom(ben);
});

test('a machine without devices gets an error message', NO_MEDIA, async ({ call }) => {
  const ana = await call.open('ana', { room: ROOM });
  await refuseDevices(ana.page, 'NotFoundError');
  await expect(ana.page.getByRole('alert')).toContainText('No camera or microphone was found');
  await ana.join();
});

test('an insecure page explains why there is no camera', NO_MEDIA, async ({ call }) => {
  const ana = await call.open('ana', { room: ROOM });
  await ana.page.addInitScript(() => {
    Object.defineProperty(navigator, 'mediaDevices', { value: undefined });
  });
  await ana.page.reload();
  await expect(ana.page.getByRole('alert')).toContainText('only on a secure page');
  await ana.join();
});

test('the call uses the connection of the lobby', NO_MEDIA, async ({ call }) => {
  const ana = await call.open('ana');
  const connections: string[] = [];
  ana.page.on('websocket', (socket) => connections.push(socket.url()));
  await ana.page.getByRole('button', { name: 'New meeting' }).click();
  await expect.poll(() => connections.length).toBe(1);
  await ana.join();
  expect(connections).toHaveLength(1);
});

test('an unreachable server is reported in the lobby when the person joins', NO_MEDIA, async ({ call }) => {
  const server = await call.startServer();
  const ana = await call.open('ana', { room: ROOM });
  const alerts = await ana.recordAlerts();
  await server.kill();
  await ana.page.waitForTimeout(1_000);
  expect(await alerts()).toEqual([]);
  await ana.page.getByRole('button', { name: 'Join now' }).click();
  await expect(ana.page.getByRole('alert')).toContainText('The server cannot be reached');
  await server.restart();
  await ana.join();
});

test('the page returns by itself when the server is restarted by SIGTERM', NO_MEDIA, async ({ call }) => {
  const server = await call.startServer({ WATERSMEET_SHUTDOWN_NOTICE_S: '2' });
  const ana = await call.join('ana');
  const stopped = server.stop();
  await expect(ana.page.getByText('The server restarts in 2 seconds.')).toBeVisible();
  await stopped;
  await server.restart();
  await ana.expectConnected();
});

test('an empty room name is rejected, and a pasted link of this server is parsed', NO_MEDIA, async ({ call }) => {
  const { url } = await call.startServer();
  const { page } = await call.open('ana');
  await page.getByRole('button', { name: 'Join' }).click();
  await expect(page.getByRole('alert')).toHaveText('Type a room name or paste a link first.');
  await page.getByLabel('Room name or link').fill('https://elsewhere.example/?room=blue-bay');
  await page.getByRole('button', { name: 'Join' }).click();
  await expect(page.getByRole('alert')).toContainText('leads to another server, elsewhere.example');
  await page.getByLabel('Room name or link').fill(`${new URL(url).host}/room/blue-bay`);
  await page.getByRole('button', { name: 'Join' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('blue-bay');
});

test('the name and the device switches are remembered', NO_MEDIA, async ({ call }) => {
  const ana = await call.join('ana');
  await ana.mute();
  await ana.reload();
  await ana.expectConnected();
  await expect(ana.page.getByRole('button', { name: 'Unmute microphone' })).toBeVisible();
  await ana.leave();
  await ana.page.getByRole('button', { name: 'Home' }).click();
  await ana.page.getByRole('button', { name: 'New meeting' }).click();
  await expect(ana.page.getByLabel('Your name')).toHaveValue('ana');
});

test('the microphone level moves before joining', NO_MEDIA, async ({ call }) => {
  const { page } = await call.open('ana', { room: ROOM });
  await page.getByLabel('Your name').click();
  await expect
    .poll(async () => Number(await page.getByRole('meter').getAttribute('aria-valuenow')), { intervals: [50] })
    .toBeGreaterThan(5);
});

test('shortcuts toggle microphone, camera and participants, except while typing', NO_MEDIA, async ({ call }) => {
  const ana = await call.open('ana', { room: ROOM });
  await ana.page.getByLabel('Your name').fill('mvp');
  await ana.join();
  await ana.page.keyboard.press('m');
  await expect(ana.page.getByRole('button', { name: 'Unmute microphone' })).toBeVisible();
  await ana.page.keyboard.press('v');
  await expect(ana.page.getByRole('button', { name: 'Turn camera on' })).toBeVisible();
  await ana.page.keyboard.press('p');
  const panel = ana.page.getByRole('complementary', { name: 'Participants' });
  await expect(panel.getByRole('listitem', { name: 'ana (you)' }).getByRole('img', { name: 'Muted' })).toBeVisible();
});

test('audio and shared screen only pauses the cameras, also after a reload', NO_MEDIA, async ({ call }) => {
  const ana = await call.join('ana');
  const ben = await call.join('ben');
  const notReceiving = ben.tileOf(ana).getByText('Not receiving this camera');
  const saveData = ben.page.getByRole('button', { name: 'Audio and shared screen only' });
  await saveData.click();
  await expect(notReceiving).toBeVisible();
  await expect(ben.page.getByText('Your camera is paused to save data')).toBeVisible();
  await expect(ana.tileOf(ben).getByLabel("ben's camera")).toHaveCount(0);
  await ben.reload();
  await expect(notReceiving).toBeVisible();
  await expect(saveData).toHaveAttribute('aria-pressed', 'true');
  await saveData.click();
  await expect(notReceiving).toBeHidden();
  await expect(ben.tileOf(ana).getByLabel("ana's camera")).toBeVisible();
  await expect(ben.page.getByRole('button', { name: 'Turn camera off' })).toBeVisible();
});

test('the link is shown where copying is forbidden', NO_MEDIA, async ({ call }) => {
  const ana = await call.join('ana');
  await ana.forbidClipboard();
  await ana.page.getByRole('button', { name: 'Copy link' }).first().click();
  await expect(ana.page.getByLabel('Copy this link')).toHaveValue(/\/\?room=tea-at-four$/);
});

test('the page fits a phone without horizontal scrolling', NO_MEDIA, async ({ call }) => {
  const ana = await call.open('ana', { room: 'a-room-with-quite-a-long-name-to-read', viewport: { width: 360, height: 640 } });
  const overflow = () => ana.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(await overflow()).toBe(0);
  await ana.join();
  expect(await overflow()).toBe(0);
  await expect(ana.page.getByRole('button', { name: 'Leave' })).toBeInViewport({ ratio: 1 });
  await expect(ana.page.getByRole('button', { name: 'Participants (1)' })).toBeInViewport({ ratio: 1 });
});

test('the page makes no foreign requests and logs no errors', NO_MEDIA, async ({ call }) => {
  const ana = await call.open('ana', { room: ROOM });
  const foreignRequests: string[] = [];
  const errors: string[] = [];
  const ownHost = new URL(ana.page.url()).host;
  ana.page.on('request', (request) => {
    if (new URL(request.url()).host !== ownHost) foreignRequests.push(request.url());
  });
  ana.page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  ana.page.on('pageerror', (error) => errors.push(error.message));
  await ana.page.reload();
  await ana.join();
  await ana.leave();
  expect(foreignRequests).toEqual([]);
  expect(errors).toEqual([]);
});
