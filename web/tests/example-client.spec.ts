/** The smallest client, which speaks the protocol without ids, in one call with the page. */
import { expect, test } from './callFixture';

test('the smallest client and the page see each other', async ({ people }) => {
  const ana = await people.joins('ana');
  const small = await people.comes('small');
  await small.page.goto(new URL('/example/index.html', small.page.url()).href);
  await small.page.getByLabel('Room').fill('tea-at-four');
  await small.page.getByRole('button', { name: 'Join' }).click();
  await expect(small.page.getByRole('status')).toHaveText('In tea-at-four');

  // Neither side knows the other by a name: the small client has none to send and reads none.
  await expect(ana.page.getByRole('button', { name: 'Participants (2)' })).toBeVisible();
  const guest = await ana.page.getByRole('figure', { name: /^Guest / }).getAttribute('aria-label');
  const anaThere = await small.page.getByLabel(/^peer_/).getAttribute('aria-label');
  await ana.seesMoving(`${guest}'s camera`);
  await small.seesMoving(String(anaThere));

  await small.closesTheWindow();
  await expect(ana.page.getByRole('figure', { name: /^Guest / })).toHaveCount(0, { timeout: 2_000 });
});
