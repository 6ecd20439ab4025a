/**
 * Twelve situations in which something goes wrong, in both browsers: each is named in plain words within three
 * seconds. The table in docs/guide.md lists them with the tests of those that are not here.
 */
import { randomBytes } from 'node:crypto';
import type { Locator, Page } from '@playwright/test';
import { NIGHTLY, NO_MEDIA, ROOM, expect, test } from './callFixture';
import { signToken } from './jwt';

const TOLD_MS_MAX = 3_000;
/** Sound alone: video encoders are a load of which these tests need nothing. */
const VOICE = { options: { camera: '0' } };

/** Waits until a text is shown, and fails when that takes longer than people should wait. */
async function expectTold(told: Locator): Promise<void> {
  await expect(told).toBeVisible({ timeout: TOLD_MS_MAX });
}

/** Makes the devices of a page fail as the test wants, once it is loaded again. */
async function controlDevices(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const devices = navigator.mediaDevices;
    const capture = devices.getUserMedia.bind(devices);
    window.deviceFailure = null;
    devices.getUserMedia = async (constraints) => {
      if (window.deviceFailure) throw new DOMException(window.deviceFailure.message, window.deviceFailure.name);
      const stream = await capture(constraints);
      for (const track of stream.getVideoTracks()) {
        const listeners: EventListener[] = [];
        const listen = track.addEventListener.bind(track);
        track.addEventListener = (type: string, listener: EventListener) => {
          if (type === 'ended') listeners.push(listener);
          listen(type, listener);
        };
        // Firefox delivers no event to a track that a page dispatches.
        window.unplugCamera = () => listeners.forEach((listener) => listener(new Event('ended')));
      }
      if (!window.isMicrophoneSilent) return stream;
      for (const track of stream.getAudioTracks()) stream.removeTrack(track);
      const silence = new AudioContext().createMediaStreamDestination().stream;
      for (const track of silence.getAudioTracks()) stream.addTrack(track);
      return stream;
    };
  });
  await page.reload();
}

async function failDevices(page: Page, name: string, message: string): Promise<void> {
  await page.evaluate((failure) => (window.deviceFailure = failure), { name, message });
}

/**
 * Opens a page that joins by itself, and waits until the browser has refused to play sound. Nothing is evaluated in the
 * page before: browsers count that as a touch, and play.
 */
async function joinUntouched(page: Page, url: string): Promise<void> {
  await page.addInitScript(() => {
    const play = HTMLMediaElement.prototype.play;
    HTMLMediaElement.prototype.play = function (this: HTMLMediaElement) {
      const playing = play.call(this);
      playing.catch((error: unknown) => console.info('playing refused', error instanceof DOMException && error.name));
      return playing;
    };
  });
  const refused = page.waitForEvent('console', (message) => message.text() === 'playing refused NotAllowedError');
  await page.goto(url);
  await refused;
}

/** Makes a page refuse to play sound until somebody clicks, with the error of browsers. */
async function refusePlaying(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const play = HTMLMediaElement.prototype.play;
    let isTouched = false;
    addEventListener('click', () => (isTouched = true), { capture: true });
    HTMLMediaElement.prototype.play = function (this: HTMLMediaElement) {
      const isAllowed = isTouched || this instanceof HTMLVideoElement;
      return isAllowed ? play.call(this) : Promise.reject(new DOMException('not allowed', 'NotAllowedError'));
    };
  });
}

for (const browser of ['chromium', 'firefox'] as const) {
  const tags = browser === 'firefox' ? { tag: [NO_MEDIA.tag, NIGHTLY.tag] } : NO_MEDIA;

  test(`devices that fail are told in ${browser}`, tags, async ({ call }) => {
    const ana = await call.open('ana', { browser, room: ROOM });
    const { page } = ana;
    await controlDevices(page);
    await ana.join();
    await expect(page.getByLabel('Your camera')).toBeVisible();
    const told = (text: string) => page.getByRole('status').filter({ hasText: text });
    // The camera is unplugged.
    await page.evaluate(() => window.unplugCamera());
    await expectTold(told('Your camera was disconnected.'));
    // Another program has it, then the system refuses it.
    await failDevices(page, 'NotReadableError', 'Could not start video source');
    await page.getByRole('button', { name: 'Turn camera on' }).click();
    await expectTold(told('Your camera cannot be opened; another program may be using it.'));
    await failDevices(page, 'NotAllowedError', 'Permission denied by system');
    await page.getByRole('button', { name: 'Turn camera on' }).click();
    await expectTold(told('Your system does not let this browser use the camera.'));
    await page.evaluate(() => {
      window.deviceFailure = null;
      window.isMicrophoneSilent = true;
    });
    await page.getByRole('button', { name: 'Turn camera on' }).click();
    await expect(page.getByRole('button', { name: 'Turn camera off' })).toBeVisible();
    // Another microphone gives no sound. Firefox measures none where the machine has no audio device.
    if (browser === 'chromium') {
      await page.getByRole('button', { name: 'Devices' }).click();
      const microphones = page.getByRole('dialog').getByLabel('Microphone', { exact: true });
      await microphones.selectOption({ index: 0 });
      await page.getByRole('button', { name: 'Done' }).click();
      await expectTold(told('Your microphone is on, but no sound comes from it.'));
    }
    // The same person opens the meeting in a second tab.
    const second = await ana.openTab();
    await expectTold(second.getByText('You are in this meeting in another tab.'));
  });

  test(`a locked room and an expired link are told in ${browser}`, tags, async ({ call }) => {
    const secret = randomBytes(32).toString('hex');
    await call.startServer({ JWT_SECRET: secret, WATERSMEET_ROOM_POLICY: 'locked' });
    await call.join('host', VOICE);
    const ana = await call.open('ana', { browser, room: ROOM, ...VOICE });
    await ana.requestJoin();
    await expectTold(ana.page.getByRole('alert').filter({ hasText: 'This room is locked: nobody can join now.' }));
    const token = signToken({ roomId: ROOM, iat: 1_000, exp: 2_000 }, secret);
    const ben = await call.open('ben', { browser, room: ROOM, options: { camera: '0', token } });
    await ben.requestJoin();
    await expectTold(ben.page.getByRole('alert').filter({ hasText: 'Your invitation does not open this room: it has run out' }));
  });

  test(`sound that is held back, a network without UDP, sleep and a server that is gone are told in ${browser}`, tags, async ({ call }) => {
    const server = await call.startServer({ WATERSMEET_UDP: 'false' });
    await call.join('ana', VOICE);
    const ben = await call.open('ben', { browser });
    const url = `${server.url}/?room=${ROOM}&name=ben&camera=0&mic=0&autojoin=1`;
    if (browser === 'chromium') await joinUntouched(ben.page, url);
    else {
      // Firefox plays the sound of calls to whom WebDriver drives.
      await refusePlaying(ben.page);
      await ben.page.goto(url);
      await ben.expectConnected();
    }
    const alert = ben.page.getByRole('alert');
    await expectTold(alert.filter({ hasText: 'Your browser holds back the sound.' }));
    await expectTold(ben.page.getByRole('log').getByText('Your network blocks UDP'));
    await alert.getByRole('button', { name: 'Play sound' }).click();
    await expect(alert).toHaveCount(0);
    // The clock jumps as after a sleep, in which the connection was lost.
    server.pause();
    await ben.page.evaluate(() => {
      const now = Date.now.bind(Date);
      Date.now = () => now() + 60_000;
    });
    await expectTold(alert.filter({ hasText: 'This device was asleep.' }));
    server.resume();
    await ben.expectConnected();
    await server.kill();
    await expectTold(alert.filter({ hasText: 'The connection was lost.' }));
  });

  test(`a network that blocks all media is told in ${browser}`, tags, async ({ call }) => {
    const { relay } = await call.startServerBehindRelay({});
    await relay.command('cut all');
    const ana = await call.open('ana', { browser, room: ROOM, relayPort: relay.port, ...VOICE });
    await ana.requestJoin();
    await expect(ana.page.getByRole('button', { name: 'Mute microphone' })).toBeVisible();
    await expectTold(ana.page.getByRole('alert').filter({ hasText: 'Sound and video do not get through yet.' }));
    await expect(ana.page.getByRole('status', { name: 'Connection' })).toHaveText('Blocked');
  });
}

declare global {
  interface Window {
    /** Error with which devices fail; null while they work. */
    deviceFailure: { name: string; message: string } | null;
    isMicrophoneSilent: boolean;
    /** Ends the camera that was opened last, as the browser does when it is unplugged. */
    unplugCamera(): void;
  }
}
