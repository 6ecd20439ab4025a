/** The example client, which uses the npm package, in a call with the page. */
import { ROOM, expect, test } from './callFixture';

test('the example client and the page exchange video', async ({ call }) => {
  const ana = await call.join('ana');
  const example = await call.open('example');
  await example.page.goto(new URL('/example/index.html', example.page.url()).href);
  await example.page.getByLabel('Room').fill(ROOM);
  await example.page.getByRole('button', { name: 'Join' }).click();
  await expect(example.page.getByRole('status')).toHaveText(`In ${ROOM}`);

  await expect(ana.page.getByRole('button', { name: 'Participants (2)' })).toBeVisible();
  await ana.expectMovingVideo("Example's camera");
  await example.expectMovingVideo('ana');

  await example.closeWindow();
  await expect(ana.page.getByRole('figure', { name: 'Example', exact: true })).toHaveCount(0, { timeout: 2_000 });
});
