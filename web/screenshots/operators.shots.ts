/** Pictures of the operators' page. */
import { ROOM, expect, test } from '../tests/callFixture';
import { openOperators, signIn } from '../tests/operatorsPage';
import { takePictures } from './pictures';

test("the operators' page", async ({ call }) => {
  const { page, server } = await openOperators(call, 'light', { WATERSMEET_TLS_SELF_SIGNED: '1', WATERSMEET_SHARDS: '2' });
  await takePictures(page, 'operators-sign-in', 0);
  await signIn(page);
  const ana = await call.join('Ana Silva');
  await call.join('Ben Okafor');
  await call.join('Chiara Rossi', { room: 'weekly-meeting' });
  await expect(page.getByText('Port')).toBeVisible();
  await takePictures(page, 'operators-overview', 0);
  await page.getByRole('link', { name: 'Rooms' }).click();
  await expect(page.getByRole('row')).toHaveCount(3);
  await takePictures(page, 'operators-rooms', 0);
  await page.getByRole('link', { name: ROOM }).click();
  await expect(page.getByRole('row', { name: /^Ben Okafor/ })).toContainText('Good');
  await takePictures(page, 'operators-room', 0);
  await page.getByRole('button', { name: 'Remove Ben Okafor' }).click();
  await takePictures(page, 'operators-remove', 0);
  await page.keyboard.press('Escape');
  await fetch(`${server.url}/api/rooms/x`, { headers: { origin: 'https://foreign.example' } });
  await page.getByRole('link', { name: 'Log' }).click();
  await expect(page.getByRole('listitem')).not.toHaveCount(0);
  await takePictures(page, 'operators-log', 0);
  await page.getByRole('link', { name: 'Overview' }).click();
  await page.getByRole('button', { name: 'Drain' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Drain' }).click();
  await expect(page.getByRole('status')).toContainText('Draining');
  await takePictures(page, 'operators-draining', 0);
  await ana.leave();
});
