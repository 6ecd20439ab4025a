/** Breakout rooms: people move there by themselves, hear only each other, and return. */
import type { Page } from '@playwright/test';
import { ROOM, expect, test, type CallParticipant } from './callFixture';
import { ChatPage } from './chatPage';
import { participantsPanel } from './hostPanel';

/** Sound alone: video encoders are a load of which this test needs nothing. */
const VOICE = { room: ROOM, options: { camera: '0' } };

const line = (page: Page) => page.getByRole('region', { name: 'Breakout rooms' });
const dialog = (page: Page) => page.getByRole('dialog', { name: 'Breakout rooms' });

async function expectInRoom(participant: CallParticipant, name: string): Promise<void> {
  await expect(line(participant.page)).toContainText(`You are in ${name}.`);
  await participant.expectConnected();
}

test('a host sends two people to breakout rooms, visits one, and brings everybody back', async ({ call }) => {
  const ana = await call.join('ana', VOICE);
  const ben = await call.join('ben', VOICE);
  const carla = await call.join('carla', VOICE);
  await ben.expectAudioFrom(carla);
  await (await participantsPanel(ana)).getByRole('button', { name: 'Breakout rooms' }).click();
  const plan = dialog(ana.page);
  await plan.getByLabel('ben').selectOption('Room 1');
  await plan.getByLabel('carla').selectOption('Room 2');
  await plan.getByRole('button', { name: 'Open rooms' }).click();

  // One goes by the countdown, the other at once.
  await expect(line(ben.page)).toContainText(/You are going to Room 1 in \d s\./);
  await line(carla.page).getByRole('button', { name: 'Go now' }).click();
  await expectInRoom(carla, 'Room 2');
  await expectInRoom(ben, 'Room 1');
  await expect(plan.getByRole('listitem', { name: 'Room 1' })).toContainText('ben');
  for (const other of [ana, carla]) await ben.expectTileGone(other, 5_000);
  // The others are in the meeting, though not here.
  await expect(ben.page.getByText('Everybody else has left.')).toHaveCount(0);

  await plan.getByLabel('Message to all rooms').fill('Five minutes left');
  await plan.getByRole('button', { name: 'Send' }).click();
  for (const { page } of [ben, carla]) await expect(page.getByRole('log')).toContainText('ana writes: Five minutes left');

  await plan.getByRole('button', { name: 'Visit Room 1' }).click();
  await expectInRoom(ana, 'Room 1');
  await ben.expectAudioFrom(ana);
  await ana.expectAudioFrom(ben);
  await expect(carla.tileOf(ana)).toHaveCount(0);
  const chat = new ChatPage(ben);
  await chat.open();
  await chat.send('only here');
  await expect(ana.page.getByRole('log', { name: 'Messages' })).toContainText('only here');

  // Everybody may return, and closing brings back the rest.
  await line(carla.page).getByRole('button', { name: 'Return to main room' }).click();
  await expect(line(carla.page)).toContainText('Room 2 is open for you.');
  await line(ana.page).getByRole('button', { name: 'Manage' }).click();
  await dialog(ana.page).getByRole('button', { name: 'Close all rooms' }).click();
  await expect(line(ben.page)).toContainText(/All breakout rooms close in \d+ s\./);
  await dialog(ana.page).getByRole('button', { name: 'Close now' }).click();
  await ben.expectAudioFrom(carla);
  await carla.expectAudioFrom(ben);
  await expect(carla.tileOf(ana)).toBeVisible();
  for (const { page } of [ana, ben, carla]) await expect(line(page)).toHaveCount(0);
});
