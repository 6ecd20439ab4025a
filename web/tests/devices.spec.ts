/** Choice of devices and of the camera's quality, before a call and in it. */
import type { Locator, Page } from '@playwright/test';
import { NO_MEDIA, ROOM, SMALL_CAMERA, expect, test, type CallParticipant } from './callFixture';

/** Records on which speaker the page plays sounds of its own, from now on, and how loud they become. */
async function recordPlayedSounds(page: Page): Promise<void> {
  await page.evaluate(() => {
    window.playedSounds = [];
    const measure = async (sound: PlayedSound, stream: MediaStream) => {
      const context = new AudioContext();
      const analyser = context.createAnalyser();
      const samples = new Float32Array(analyser.fftSize);
      context.createMediaStreamSource(stream).connect(analyser);
      for (const end = Date.now() + 5_000; Date.now() < end; ) {
        analyser.getFloatTimeDomainData(samples);
        sound.peak = Math.max(sound.peak, ...samples);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await context.close();
    };
    const play = HTMLMediaElement.prototype.play;
    HTMLMediaElement.prototype.play = function (this: HTMLMediaElement) {
      const { srcObject, sinkId } = this;
      if (srcObject instanceof MediaStream && !this.isConnected) {
        const sound = { sinkId, peak: 0 };
        window.playedSounds.push(sound);
        void measure(sound, srcObject);
      }
      return play.call(this);
    };
  });
}

/** Chooses the last option of a select, which is not the chosen one, and returns its value. */
async function chooseLast(select: Locator): Promise<string> {
  await expect.poll(() => select.getByRole('option').count()).toBeGreaterThan(1);
  const values = await select.getByRole('option').evaluateAll((options) => options.map((it) => (it as HTMLOptionElement).value));
  const last = values.at(-1) ?? '';
  await expect(select).not.toHaveValue(last);
  await select.selectOption(last);
  await expect(select).toHaveValue(last);
  return last;
}

/** Opens the dialog of devices of a call. */
async function openDevices({ page }: CallParticipant): Promise<Locator> {
  await page.getByRole('button', { name: 'Devices' }).click();
  return page.getByRole('dialog', { name: 'Devices' });
}

test('the chosen speaker plays the test sound and the others, and is remembered; the default replaces it when it is gone', async ({
  call,
}) => {
  const ana = await call.open('ana', { room: ROOM, options: { camera: '0' } });
  const { page } = ana;
  await recordPlayedSounds(page);
  const speaker = await chooseLast(page.getByLabel('Speaker', { exact: true }));
  await page.getByRole('button', { name: 'Play test sound' }).click();
  const played = () => page.evaluate(() => window.playedSounds[0]);
  await expect.poll(async () => (await played())?.peak).toBeGreaterThan(0.05);
  expect((await played())?.sinkId).toBe(speaker);
  await expect(page.getByRole('button', { name: 'Play test sound' })).toBeVisible();
  await ana.join();
  const ben = await call.join('ben', SMALL_CAMERA);
  const sinkOfBen = () => page.getByLabel("ben's voice").evaluate((it: HTMLAudioElement) => it.sinkId);
  await expect.poll(sinkOfBen).toBe(speaker);
  await ana.expectAudioFrom(ben);
  await ana.reload();
  await ana.expectConnected();
  await expect.poll(sinkOfBen).toBe(speaker);
  await page.evaluate(async (gone) => {
    const { mediaDevices } = navigator;
    const devices = await mediaDevices.enumerateDevices();
    mediaDevices.enumerateDevices = async () => devices.filter(({ deviceId }) => deviceId !== gone);
    mediaDevices.dispatchEvent(new Event('devicechange'));
  }, speaker);
  const told = page.getByRole('status').filter({ hasText: 'The speaker that you chose is not available.' });
  await expect(told).toBeVisible();
  await expect.poll(sinkOfBen).toBe('');
  await ana.expectAudioFrom(ben);
  await told.getByRole('button', { name: 'Choose another' }).click();
  const other = await chooseLast(page.getByRole('dialog', { name: 'Devices' }).getByLabel('Speaker', { exact: true }));
  await expect(told).toHaveCount(0);
  await expect.poll(sinkOfBen).toBe(other);
});

test('Firefox asks for the speaker in a window of its own', NO_MEDIA, async ({ call }) => {
  const ana = await call.open('ana', { browser: 'firefox', room: ROOM, options: { camera: '0' } });
  const { page } = ana;
  await expect(page.getByLabel('Speaker', { exact: true })).toHaveValue('');
  const asked = await page.evaluateHandle(() => {
    const calls = { asked: 0 };
    navigator.mediaDevices.selectAudioOutput = async () => {
      calls.asked += 1;
      return { deviceId: 'headset', kind: 'audiooutput', label: 'Headset', groupId: '', toJSON: () => ({}) };
    };
    return calls;
  });
  await page.getByRole('button', { name: 'Choose another…' }).click();
  await expect.poll(() => asked.evaluate((calls) => calls.asked)).toBe(1);
  await expect(page.getByLabel('Speaker', { exact: true })).toHaveValue('headset');
});

test('another resolution and frame rate of the camera arrive at the other page, and are remembered', async ({ call }) => {
  // Without a width in the URL, which would replace what is remembered.
  const camera = { options: { width: '', mic: '0' } };
  const ana = await call.join('ana', camera);
  const ben = await call.join('ben', { options: { camera: '0', mic: '0' }, viewport: { width: 1_280, height: 800 } });
  const decodedHeight = () => ben.page.getByLabel("ana's camera").evaluate((it: HTMLVideoElement) => it.videoHeight);
  await expect.poll(decodedHeight, { timeout: 20_000 }).toBe(720);
  const dialog = await openDevices(ana);
  await dialog.getByLabel('Camera resolution').selectOption('360p');
  await expect.poll(decodedHeight, { timeout: 20_000 }).toBe(360);
  await dialog.getByLabel('Frames per second').selectOption('15');
  const sentRate = () =>
    ana.page.getByLabel('Your camera').evaluate((it: HTMLVideoElement) => {
      const [track] = (it.srcObject as MediaStream).getVideoTracks();
      return track?.getSettings().frameRate;
    });
  await expect.poll(sentRate).toBe(15);
  await dialog.getByRole('button', { name: 'Done' }).click();
  await ana.reload();
  await ana.expectConnected();
  const reopened = await openDevices(ana);
  await expect(reopened.getByLabel('Camera resolution')).toHaveValue('640');
  await expect(reopened.getByLabel('Frames per second')).toHaveValue('15');
  await expect.poll(decodedHeight, { timeout: 20_000 }).toBe(360);
});

test('cameras that are paused before the call stay off in it, and come back', async ({ call }) => {
  const ben = await call.join('ben', SMALL_CAMERA);
  const ana = await call.open('ana', { room: ROOM, ...SMALL_CAMERA });
  await expect(ana.page.getByLabel('Your camera')).toBeVisible();
  await ana.page.getByLabel('Audio and shared screen only').check();
  await expect(ana.page.getByLabel('Your camera')).toHaveCount(0);
  await ana.join();
  await ben.expectNoVideoFrom(ana);
  await expect(ana.page.getByLabel("ben's camera")).toHaveCount(0);
  await ana.page.getByRole('button', { name: 'Audio and shared screen only' }).click();
  await ben.expectVideoFrom(ana);
  await ana.expectVideoFrom(ben);
});

/** A sound that the page played by itself: its speaker, and its loudest sample so far. */
interface PlayedSound {
  sinkId: string;
  peak: number;
}

declare global {
  interface Window {
    playedSounds: PlayedSound[];
  }
}
