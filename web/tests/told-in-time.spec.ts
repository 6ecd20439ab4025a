/**
 * What people are told when something goes wrong, and how soon: a server that does not answer, somebody whose network
 * is gone, devices that fail, leaving by accident, and the same meeting in two tabs.
 */
import { NO_MEDIA, ROOM, SMALL_CAMERA, expect, test, type CallParticipant } from './callFixture';

/** Time within which people are told. */
const TOLD_MS_MAX = 3_000;

/** Sound alone: video encoders are a load of which these tests need nothing. */
const VOICE = { options: { camera: '0' } };

const connectionOf = ({ page }: CallParticipant) => page.getByRole('status', { name: 'Connection' });

test('a server that does not answer is told within three seconds, and until it does', NO_MEDIA, async ({ call }) => {
  const server = await call.startServer();
  const ana = await call.join('ana');
  const ben = await call.join('ben');
  await expect(ana.tileOf(ben)).toBeVisible();
  const stoppedAt = Date.now();
  server.pause();
  try {
    await expect(connectionOf(ana)).not.toHaveText('Connected', { timeout: TOLD_MS_MAX });
    console.log(`silent server: told after ${Date.now() - stoppedAt} ms`);
    await expect(ana.page.getByRole('alert')).toContainText('The server does not answer at the moment.');
    await expect(ana.page.getByRole('alert').getByRole('button', { name: 'Reconnect' })).toBeVisible();
  } finally {
    server.resume();
  }
  await ana.expectConnected();
  await expect(ana.page.getByRole('alert')).toHaveCount(0);
  // Nobody else is called interrupted because the server stood still.
  await expect(ana.tileOf(ben).getByText('is interrupted')).toHaveCount(0);
});

test('somebody whose network is gone is marked for the others within three seconds, until it is back', async ({ call }) => {
  const { server, line, relay } = await call.startServerBehindLine();
  const ana = await call.join('ana', { base: line.url, relayPort: relay.port, ...VOICE });
  const ben = await call.join('ben', { base: server.url, ...VOICE });
  await ben.expectAudioFrom(ana);
  const mark = ben.tileOf(ana).getByText('ana’s connection is interrupted');
  await expect(mark).toHaveCount(0);
  const times: number[] = [];
  for (let i = 0; i < 3; i += 1) {
    const cutAt = Date.now();
    line.freeze();
    await relay.command('cut all');
    await expect(mark).toBeVisible({ timeout: TOLD_MS_MAX });
    times.push(Date.now() - cutAt);
    await expect(connectionOf(ana)).not.toHaveText('Connected', { timeout: TOLD_MS_MAX });
    line.restore();
    await relay.command('restore');
    await expect(mark).toHaveCount(0, { timeout: TOLD_MS_MAX });
    await ben.expectAudioFrom(ana);
  }
  console.log(`vanished peer: marked after ${times.join(', ')} ms`);
});

test('somebody who is still heard is not marked, whatever the signalling does', async ({ call }) => {
  const { server, line } = await call.startServerBehindLine();
  const ana = await call.join('ana', { base: line.url, ...VOICE });
  const ben = await call.join('ben', { base: server.url, ...VOICE });
  await ben.expectAudioFrom(ana);
  line.freeze();
  await expect(connectionOf(ana)).toHaveText('No answer', { timeout: TOLD_MS_MAX });
  await ben.expectAudioFrom(ana);
  await expect(ben.tileOf(ana).getByText('is interrupted')).toHaveCount(0);
  line.restore();
  await ana.expectConnected();
});

test('a device that is unplugged is told for as long as it is, with the button that helps', async ({ call }) => {
  const ana = await call.open('ana', { room: ROOM, ...SMALL_CAMERA });
  await ana.page.addInitScript(() => {
    const capture = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      const stream = await capture(constraints);
      window.captured = [...(window.captured ?? []), ...stream.getTracks()];
      return stream;
    };
  });
  await ana.reload();
  await ana.join();
  const ben = await call.join('ben', VOICE);
  await ben.expectVideoFrom(ana);
  await ana.page.evaluate(() => {
    const camera = window.captured.findLast(({ kind, readyState }) => kind === 'video' && readyState === 'live');
    camera?.stop();
    camera?.dispatchEvent(new Event('ended'));
  });
  const problem = ana.page.getByRole('status').filter({ hasText: 'Your camera was disconnected.' });
  await expect(problem).toBeVisible();
  const button = ana.page.getByRole('button', { name: 'Turn camera on' });
  await expect(button).toHaveAccessibleDescription(/Your camera was disconnected/);
  await ben.expectNoVideoFrom(ana);
  // The mark at the button stays when the sentence is dismissed.
  await problem.getByRole('button', { name: 'Dismiss' }).click();
  await expect(problem).toHaveCount(0);
  await expect(button).toHaveAccessibleDescription(/Your camera was disconnected/);
  await button.click();
  await expect(ana.page.getByRole('button', { name: 'Turn camera off' })).not.toHaveAccessibleDescription(/disconnected/);
  await ben.expectVideoFrom(ana);
});

test('a permission that is withdrawn is told as such', NO_MEDIA, async ({ call }) => {
  const ana = await call.open('ana', { room: ROOM });
  await ana.page.addInitScript(() => {
    const capture = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      const stream = await capture(constraints);
      window.captured = [...(window.captured ?? []), ...stream.getTracks()];
      return stream;
    };
  });
  await ana.reload();
  await ana.join();
  await expect(ana.page.getByRole('button', { name: 'Mute microphone' })).toBeVisible();
  await ana.page.evaluate(() => {
    navigator.permissions.query = () => Promise.resolve({ state: 'denied' } as PermissionStatus);
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
    for (const track of window.captured) {
      track.stop();
      track.dispatchEvent(new Event('ended'));
    }
  });
  const problem = ana.page.getByRole('status').filter({ hasText: 'This page may not use your camera and microphone.' });
  await expect(problem).toBeVisible();
  await problem.getByRole('button', { name: 'Try again' }).click();
  await expect(problem).toBeVisible();
});

test('a microphone from which nothing comes is told, and goes on when another is chosen', NO_MEDIA, async ({ call }) => {
  const ana = await call.open('ana', { room: ROOM, options: { camera: '0' } });
  await ana.page.addInitScript(() => {
    const capture = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    window.isMicrophoneDead = true;
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      const stream = await capture(constraints);
      if (!window.isMicrophoneDead) return stream;
      for (const track of stream.getAudioTracks()) stream.removeTrack(track);
      for (const silent of new AudioContext().createMediaStreamDestination().stream.getAudioTracks()) stream.addTrack(silent);
      return stream;
    };
  });
  await ana.reload();
  await ana.join();
  const problem = ana.page.getByRole('status').filter({ hasText: 'Your microphone is on, but no sound comes from it.' });
  await expect(problem).toBeVisible();
  await expect(ana.page.getByRole('button', { name: 'Mute microphone' })).toHaveAccessibleDescription(/no sound comes/);
  await ana.page.evaluate(() => (window.isMicrophoneDead = false));
  await problem.getByRole('button', { name: 'Choose another' }).click();
  const devices = ana.page.getByRole('dialog', { name: 'Devices' });
  const microphones = devices.getByLabel('Microphone', { exact: true });
  await microphones.selectOption({ index: 1 });
  await devices.getByRole('button', { name: 'Done' }).click();
  await expect(problem).toHaveCount(0);
});

test('somebody who talks while muted is told', NO_MEDIA, async ({ call }) => {
  const ana = await call.open('ana', { room: ROOM });
  await ana.replaceMicrophoneByTone();
  await ana.join();
  await ana.mute();
  const told = ana.page.getByRole('status').filter({ hasText: 'You are muted: nobody hears you.' });
  await expect(told).toBeVisible();
  await told.getByRole('button', { name: 'Unmute' }).click();
  await expect(ana.page.getByRole('button', { name: 'Mute microphone' })).toBeVisible();
  await expect(told).toHaveCount(0);
});

test('going back asks once whether to leave', NO_MEDIA, async ({ call }) => {
  const ana = await call.open('ana');
  await ana.page.getByLabel('Room name or link').fill(ROOM);
  await ana.page.getByRole('button', { name: 'Join' }).click();
  await ana.join();
  const ben = await call.join('ben');
  const question = ana.page.getByRole('dialog', { name: 'Leave the meeting?' });
  await ana.page.goBack();
  await question.getByRole('button', { name: 'Stay' }).click();
  await ana.expectConnected();
  await expect(ben.tileOf(ana)).toBeVisible();
  await ana.page.goBack();
  await question.getByRole('button', { name: 'Leave' }).click();
  await expect(ana.page.getByRole('button', { name: 'New meeting' })).toBeVisible();
  await ben.expectTileGone(ana, TOLD_MS_MAX);
});

test('closing the page asks in a call, and only there', NO_MEDIA, async ({ call }) => {
  const ana = await call.join('ana');
  // Browsers ask only those who have touched the page.
  await ana.page.getByRole('heading', { name: ROOM }).click();
  const asked: string[] = [];
  ana.page.on('dialog', (dialog) => {
    asked.push(dialog.type());
    void dialog.dismiss();
  });
  await ana.page.close({ runBeforeUnload: true });
  await expect.poll(() => asked).toEqual(['beforeunload']);
  await ana.expectConnected();
  await ana.leave();
  await ana.page.close({ runBeforeUnload: true });
  await expect.poll(() => ana.page.isClosed()).toBe(true);
  expect(asked).toEqual(['beforeunload']);
});

test('a second tab of the same browser says so, and takes over', NO_MEDIA, async ({ call }) => {
  const ana = await call.join('ana');
  const ben = await call.join('ben');
  const second = await ana.openTab();
  await expect(second.getByText('You are in this meeting in another tab.')).toBeVisible();
  await second.getByRole('button', { name: 'Join now' }).click();
  await expect(ana.page.getByRole('heading', { name: 'You joined from somewhere else' })).toBeVisible();
  await expect(second.getByRole('status', { name: 'Connection' })).toHaveText('Connected');
  await expect(ben.tileOf(ana)).toHaveCount(1);
});

test('messages lie over no tile', NO_MEDIA, async ({ call }) => {
  const quiet = { options: { camera: '0', mic: '0' } };
  for (const viewport of [{ width: 1_280, height: 800 }, { width: 390, height: 844 }]) {
    const room = `messages-${viewport.width}`;
    const ana = await call.join('ana', { room, viewport, ...quiet });
    const ben = await call.join('ben', { room, ...quiet });
    await expect(ana.page.getByRole('log').getByText('ben joined')).toBeVisible();
    const message = await ana.page.getByRole('log').boundingBox();
    for (const tile of [ana.tileOf(ben), ana.page.getByRole('figure', { name: 'ana (you)' })]) {
      const box = await tile.boundingBox();
      expect(box && message && box.y + box.height <= message.y, `a tile at ${viewport.width}`).toBe(true);
    }
  }
});

declare global {
  interface Window {
    /** Tracks that the page captured. */
    captured: MediaStreamTrack[];
    isMicrophoneDead: boolean;
  }
}
