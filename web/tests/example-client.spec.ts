/** The example client, which sends requests without ids, in a call with the page. */
import { ROOM, expect, test } from './callFixture';

test('the example client and the page exchange video', async ({ call }) => {
  const ana = await call.join('ana');
  const example = await call.open('example');
  await example.page.goto(new URL('/example/index.html', example.page.url()).href);
  await example.page.getByLabel('Room').fill(ROOM);
  await example.page.getByRole('button', { name: 'Join' }).click();
  await expect(example.page.getByRole('status')).toHaveText(`In ${ROOM}`);

  // The example client sends no name and shows none, so both sides are found by their generated labels.
  await expect(ana.page.getByRole('button', { name: 'Participants (2)' })).toBeVisible();
  const guest = await ana.page.getByRole('figure', { name: /^Guest / }).getAttribute('aria-label');
  const anaLabel = await example.page.getByLabel(/^peer_/).getAttribute('aria-label');
  await ana.expectMovingVideo(`${guest}'s camera`);
  await example.expectMovingVideo(String(anaLabel));

  await example.closeWindow();
  await expect(ana.page.getByRole('figure', { name: /^Guest / })).toHaveCount(0, { timeout: 2_000 });
});
