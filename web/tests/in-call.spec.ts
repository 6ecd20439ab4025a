/** Conveniences of a call: shortcuts, the screen's wake lock, media keys, the small window, and the choice of devices. */
import { NO_MEDIA, ROOM, SMALL_CAMERA, expect, test } from './callFixture';

/** Sound alone: video encoders are a load of which these tests need nothing. */
const VOICE = { options: { camera: '0' } };

test('somebody who is muted is heard for as long as Space is held', async ({ call }) => {
  const ana = await call.join('ana', { options: { camera: '0', mic: '0' } });
  const ben = await call.join('ben', VOICE);
  const { keyboard } = ana.page;
  const muted = ben.tileOf(ana).getByRole('img', { name: 'Muted' });
  await expect(muted).toBeVisible();
  await keyboard.down(' ');
  await ben.expectAudioFrom(ana);
  await expect(muted).toHaveCount(0);
  await keyboard.up(' ');
  await ben.expectSilenceFrom(ana);
  await expect(muted).toBeVisible();
  // A key that the page does not see released, because another window is in front, mutes too.
  await keyboard.down(' ');
  await expect(muted).toHaveCount(0);
  await ana.page.evaluate(() => dispatchEvent(new Event('blur')));
  await expect(muted).toBeVisible();
  await keyboard.up(' ');
});

test('Space presses a focused button, and a space is typed, without unmuting', NO_MEDIA, async ({ call }) => {
  const ana = await call.join('ana', { options: { mic: '0' } });
  const { page } = ana;
  const unmuteClicks = await page.evaluateHandle(() => {
    const seen = { unmuted: 0 };
    new MutationObserver(() => {
      if (document.querySelector('[aria-label="Mute microphone"]')) seen.unmuted += 1;
    }).observe(document.body, { subtree: true, attributes: true, childList: true });
    return seen;
  });
  await page.getByRole('button', { name: 'Chat' }).focus();
  await page.keyboard.press(' ');
  const field = page.getByLabel('Write a message');
  await field.pressSequentially('a b?m');
  await expect(field).toHaveValue('a b?m');
  expect(await unmuteClicks.evaluate(({ unmuted }) => unmuted)).toBe(0);
});

test('the sheet lists the shortcuts, and none acts while it is open', NO_MEDIA, async ({ call }) => {
  const { page } = await call.join('ana');
  await page.keyboard.press('?');
  const sheet = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
  await expect(sheet.getByRole('term')).toHaveText(['M', 'Space', 'V', 'H', 'C', 'P', 'S', 'F', '?']);
  await page.keyboard.press('m');
  await page.keyboard.press('Escape');
  await expect(sheet).toHaveCount(0);
  await expect(page.getByRole('button', { name: 'Mute microphone' })).toBeVisible();
  await page.getByRole('button', { name: 'Layout' }).click();
  await page.getByRole('button', { name: 'Keyboard shortcuts' }).click();
  await expect(sheet).toBeVisible();
});

test('the screen stays on and media keys work for as long as the call lasts', NO_MEDIA, async ({ call }) => {
  const ana = await call.open('ana', { room: ROOM, ...VOICE });
  await ana.page.addInitScript(() => {
    const { wakeLock, mediaSession } = navigator;
    window.wakeLocks = [];
    const request = wakeLock.request.bind(wakeLock);
    wakeLock.request = async (type) => {
      const sentinel = await request(type);
      window.wakeLocks.push(sentinel);
      return sentinel;
    };
    window.mediaKeys = {};
    const setActionHandler = mediaSession.setActionHandler.bind(mediaSession);
    mediaSession.setActionHandler = (action, handler) => {
      setActionHandler(action, handler);
      window.mediaKeys[action] = () => handler?.({ action });
    };
  });
  await ana.reload();
  const heldLocks = () => ana.page.evaluate(() => window.wakeLocks.filter(({ released }) => !released).length);
  expect(await heldLocks()).toBe(0);
  await ana.join();
  const ben = await call.join('ben', VOICE);
  await expect.poll(heldLocks).toBe(1);
  await expect(ben.tileOf(ana).getByRole('img', { name: 'Muted' })).toHaveCount(0);
  await ana.page.evaluate(() => window.mediaKeys['togglemicrophone']?.());
  await expect(ben.tileOf(ana).getByRole('img', { name: 'Muted' })).toBeVisible();
  await ana.page.evaluate(() => window.mediaKeys['hangup']?.());
  await ben.expectTileGone(ana, 3_000);
  await expect.poll(heldLocks).toBe(0);
});

test('the small window shows who speaks, with buttons to mute and to leave', async ({ call }) => {
  const ana = await call.join('ana', VOICE);
  const ben = await call.join('ben', SMALL_CAMERA);
  await expect(ana.tileOf(ben)).toBeVisible();
  await ana.page.getByRole('button', { name: 'Layout' }).click();
  const opening = ana.page.context().waitForEvent('page');
  await ana.page.getByRole('button', { name: 'Small window on top' }).click();
  const small = await opening;
  const video = small.getByLabel("ben's camera", { exact: true });
  await expect.poll(() => video.evaluate((it: HTMLVideoElement) => it.videoWidth > 0 && it.currentTime > 0.5)).toBe(true);
  // Styles apply: the picture fills the window, which they would leave at its own size.
  const width = await small.evaluate(() => innerWidth);
  expect((await small.getByRole('figure', { name: 'ben' }).boundingBox())?.width).toBe(width);
  await small.getByRole('button', { name: 'Mute microphone' }).click();
  await expect(ben.tileOf(ana).getByRole('img', { name: 'Muted' })).toBeVisible();
  await expect(small.getByRole('button', { name: 'Unmute microphone' })).toBeVisible();
  const closed = small.waitForEvent('close');
  await small.getByRole('button', { name: 'Leave' }).click();
  await ben.expectTileGone(ana, 3_000);
  await closed;
});

declare global {
  interface Window {
    /** Wake locks that the page was granted. */
    wakeLocks: WakeLockSentinel[];
    /** What the page does on media keys, by action. */
    mediaKeys: Record<string, () => void>;
  }
}
