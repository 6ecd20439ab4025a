/** Calls of two and three participants: joining late, muting, leaving and coming back. */
import { ROOM, SMALL_CAMERA, expect, expectAllReceiveAll, test } from './callFixture';

/** How soon pictures are back after a server was started again. */
const BACK_MS_MAX = 10_000;

test('two participants join through the buttons of the page', async ({ call }) => {
  const ana = await call.open('ana');
  await ana.page.getByRole('button', { name: 'New meeting' }).click();
  const room = await ana.page.getByRole('heading', { level: 1 }).innerText();
  await ana.join();

  const ben = await call.open('ben');
  await ben.page.getByLabel('Room name or link').fill(room);
  await ben.page.getByRole('button', { name: 'Join' }).click();
  await ben.join();

  await expectAllReceiveAll([ana, ben]);
  await expect(ana.page.getByRole('button', { name: 'Participants (2)' })).toBeVisible();
});

test('a third participant who joins late exchanges media with both others', async ({ call }) => {
  const ana = await call.join('ana');
  const ben = await call.join('ben');
  await ana.expectVideoFrom(ben);
  const carla = await call.join('carla');
  for (const other of [ana, ben]) {
    await carla.expectVideoFrom(other);
    await carla.expectAudioFrom(other);
    await other.expectVideoFrom(carla);
  }
});

test('a closed window removes the participant everywhere within two seconds', async ({ call }) => {
  const ana = await call.join('ana');
  const ben = await call.join('ben');
  const carla = await call.join('carla');
  await ana.expectVideoFrom(ben);
  await ben.closeWindow();
  await Promise.all([ana.expectTileGone(ben, 2_000), carla.expectTileGone(ben, 2_000)]);
  await ana.expectVideoFrom(carla);
});

test('a participant who leaves is removed at once and can rejoin', async ({ call }) => {
  const ana = await call.join('ana');
  const ben = await call.join('ben');
  await ana.expectVideoFrom(ben);
  await ben.leave();
  await ana.expectTileGone(ben, 2_000);
  await ben.page.getByRole('button', { name: 'Rejoin' }).click();
  await ana.expectVideoFrom(ben);
  await ben.expectVideoFrom(ana);
});

test('a reload rejoins the call automatically', async ({ call }) => {
  const ana = await call.join('ana');
  const ben = await call.join('ben');
  await ana.expectVideoFrom(ben);
  await ben.reload();
  await ben.expectConnected();
  await ben.expectVideoFrom(ana);
  await ben.expectAudioFrom(ana);
  await ana.expectVideoFrom(ben);
  await ana.expectAudioFrom(ben);
  await expect(ana.tileOf(ben)).toHaveCount(1);
});

test('a muted participant is silent until unmuted', async ({ call }) => {
  const ana = await call.join('ana');
  const ben = await call.join('ben');
  await ben.expectAudioFrom(ana);
  await ana.mute();
  await expect(ben.tileOf(ana).getByRole('img', { name: 'Muted' })).toBeVisible();
  await ben.expectSilenceFrom(ana);
  await ana.unmute();
  await expect(ben.tileOf(ana).getByRole('img', { name: 'Muted' })).toHaveCount(0);
  await ben.expectAudioFrom(ana);
});

test('everybody sees who is speaking, until that participant is muted', async ({ call }) => {
  const ben = await call.join('ben');
  await ben.mute();
  const ana = await call.open('ana', { room: ROOM });
  await ana.replaceMicrophoneByTone();
  await ana.join();
  const marks = [
    ben.tileOf(ana).getByRole('img', { name: 'Speaking' }),
    ana.page.getByRole('figure', { name: 'ana (you)', exact: true }).getByRole('img', { name: 'Speaking' }),
  ];
  for (const mark of marks) await expect(mark).toBeVisible();
  await expect(ana.tileOf(ben).getByRole('img', { name: 'Speaking' })).toHaveCount(0);
  await ana.mute();
  for (const mark of marks) await expect(mark).toHaveCount(0);
  await ana.unmute();
  for (const mark of marks) await expect(mark).toBeVisible();
  // Somebody who joins now learns it too, although nothing changes any more.
  const carla = await call.join('carla');
  await expect(carla.tileOf(ana).getByRole('img', { name: 'Speaking' })).toBeVisible();
});

test('a camera switched off shows no stale picture and can be switched on again', async ({ call }) => {
  const ana = await call.join('ana');
  const ben = await call.join('ben');
  await ben.expectVideoFrom(ana);
  await ana.turnCameraOff();
  await ben.expectNoVideoFrom(ana);
  await ben.expectAudioFrom(ana);
  await ana.turnCameraOn();
  await ben.expectVideoFrom(ana);
});

test('a participant without camera and microphone receives the others', async ({ call }) => {
  const ana = await call.join('ana');
  const ben = await call.join('ben', { options: { camera: '0', mic: '0' } });
  await ben.expectVideoFrom(ana);
  await ben.expectAudioFrom(ana);
  await ana.expectNoVideoFrom(ben);
  await ben.turnCameraOn();
  await ana.expectVideoFrom(ben);
});

test('a server that is killed and started again costs no click, and is told without any word about people', async ({ call }) => {
  const server = await call.startServer();
  const ana = await call.join('ana', SMALL_CAMERA);
  const ben = await call.join('ben', SMALL_CAMERA);
  await ana.expectVideoFrom(ben);
  const decoded = [await ana.recordDecodedFrames(ben), await ben.recordDecodedFrames(ana)];
  const told = [await ana.recordNotifications(), await ben.recordNotifications()];
  const killedAt = Date.now();
  await server.kill();
  await expect(ana.page.getByText('The connection was lost.')).toBeVisible();
  await server.restart();
  const restartedAt = Date.now();
  const firstFrames = async () => Promise.all(decoded.map(async (since) => (await since(restartedAt))[0] ?? Infinity));
  await expect.poll(async () => Math.max(...(await firstFrames())), { timeout: 30_000 }).toBeLessThan(Infinity);
  const backMs = await firstFrames();
  console.log(`pictures back ${backMs.join(' and ')} ms after the restart, which took ${restartedAt - killedAt} ms`);
  for (const ms of backMs) expect(ms).toBeLessThanOrEqual(BACK_MS_MAX);
  await Promise.all([ana.expectConnected(), ben.expectConnected()]);
  await ana.expectVideoFrom(ben);
  await ben.expectVideoFrom(ana);
  for (const texts of told) expect(await texts()).toEqual([]);
});
