/** Two people meet, a third comes late, people mute, go and come back. */
import { expect, test } from './callFixture';

test('two people meet by the buttons of the page', async ({ people }) => {
  const ana = await people.comes('ana');
  await ana.page.getByRole('button', { name: 'New meeting' }).click();
  const room = await ana.page.getByRole('heading', { level: 1 }).innerText();
  await ana.joins();

  const ben = await people.comes('ben');
  await ben.page.getByLabel('Room name or link').fill(room);
  await ben.page.getByRole('button', { name: 'Join' }).click();
  await ben.joins();

  await ana.sees(ben);
  await ben.sees(ana);
  await ana.hears(ben);
  await ben.hears(ana);
  await expect(ana.page.getByRole('button', { name: 'Participants (2)' })).toBeVisible();
});

test('a third who comes late sees and hears both, and they the third', async ({ people }) => {
  const ana = await people.joins('ana');
  const ben = await people.joins('ben');
  await ana.sees(ben);
  const carla = await people.joins('carla');
  for (const other of [ana, ben]) {
    await carla.sees(other);
    await carla.hears(other);
    await other.sees(carla);
  }
});

test('who closes the window is gone everywhere within two seconds', async ({ people }) => {
  const ana = await people.joins('ana');
  const ben = await people.joins('ben');
  const carla = await people.joins('carla');
  await ana.sees(ben);
  await ben.closesTheWindow();
  await Promise.all([ana.losesSightOf(ben, 2_000), carla.losesSightOf(ben, 2_000)]);
  await ana.sees(carla);
});

test('who leaves by the button is gone at once and can come back', async ({ people }) => {
  const ana = await people.joins('ana');
  const ben = await people.joins('ben');
  await ana.sees(ben);
  await ben.leaves();
  await ana.losesSightOf(ben, 2_000);
  await ben.page.getByRole('button', { name: 'Rejoin' }).click();
  await ana.sees(ben);
  await ben.sees(ana);
});

test('a reload comes back to the call by itself', async ({ people }) => {
  const ana = await people.joins('ana');
  const ben = await people.joins('ben');
  await ana.sees(ben);
  await ben.reloads();
  await ben.isConnected();
  await ben.sees(ana);
  await ben.hears(ana);
  await ana.sees(ben);
  await ana.hears(ben);
  await expect(ana.tileOf(ben)).toHaveCount(1);
});

test('who is muted is not heard, until unmuted', async ({ people }) => {
  const ana = await people.joins('ana');
  const ben = await people.joins('ben');
  await ben.hears(ana);
  await ana.mutes();
  await expect(ben.tileOf(ana).getByRole('img', { name: 'Muted' })).toBeVisible();
  await ben.hearsNothingFrom(ana);
  await ana.unmutes();
  await expect(ben.tileOf(ana).getByRole('img', { name: 'Muted' })).toHaveCount(0);
  await ben.hears(ana);
});

test('a camera switched off shows no stale picture, and comes back', async ({ people }) => {
  const ana = await people.joins('ana');
  const ben = await people.joins('ben');
  await ben.sees(ana);
  await ana.turnsCameraOff();
  await ben.seesNoPictureOf(ana);
  await ben.hears(ana);
  await ana.turnsCameraOn();
  await ben.sees(ana);
});

test('someone without camera and microphone still sees and hears', async ({ people }) => {
  const ana = await people.joins('ana');
  const ben = await people.joins('ben', { options: { camera: '0', mic: '0' } });
  await ben.sees(ana);
  await ben.hears(ana);
  await ana.seesNoPictureOf(ben);
  await ben.turnsCameraOn();
  await ana.sees(ben);
});

test('a server that comes back finds everyone in the call again', async ({ people }) => {
  const server = await people.meetAt({});
  const ana = await people.joins('ana');
  const ben = await people.joins('ben');
  await ana.sees(ben);
  await server.kill();
  await expect(ana.page.getByText('The connection was lost.')).toBeVisible();
  await server.restart();
  await Promise.all([ana.isConnected(), ben.isConnected()]);
  await ana.sees(ben);
  await ben.sees(ana);
});
