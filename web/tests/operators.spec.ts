/** The operators' page at its own port: signing in, rooms and people, removing them, draining, the log; accessibility. */
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { NO_MEDIA, ROOM, expect, test } from './callFixture';
import { KEY, openOperators, signIn } from './operatorsPage';

async function expectAccessible(page: Page, what: string): Promise<void> {
  // In its old mode axe opens no page of its own, which Chromium without a sandbox refuses.
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().analyze();
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
  expect(found, what).toEqual([]);
}

test('operators sign in with the key, which no address, cookie or other tab has', NO_MEDIA, async ({ call }) => {
  const { page, url } = await openOperators(call);
  await page.getByLabel('Key').fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('alert')).toHaveText('This is not the key.');
  const addresses: string[] = [];
  page.on('request', (request) => addresses.push(request.url()));
  await signIn(page);
  await page.reload();
  await expect(page.getByRole('navigation', { name: 'Views' })).toBeVisible();
  expect(addresses.filter((address) => address.includes(KEY))).toEqual([]);
  expect(await page.context().cookies()).toEqual([]);
  const other = await page.context().newPage();
  await other.goto(url);
  await expect(other.getByLabel('Key')).toBeFocused();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByLabel('Key')).toBeVisible();
  await page.reload();
  await expect(page.getByLabel('Key')).toBeVisible();
});

test('a room appears with its people, and who is removed leaves the call', NO_MEDIA, async ({ call }) => {
  const { page } = await openOperators(call);
  await signIn(page);
  await page.getByRole('link', { name: 'Rooms' }).click();
  await expect(page.getByText('There are no rooms.')).toBeVisible();
  const ana = await call.join('ana');
  const ben = await call.join('ben');
  const row = page.getByRole('row', { name: new RegExp(ROOM) });
  await expect(row.getByRole('cell', { name: '2', exact: true })).toBeVisible();
  await expect(row).toContainText('native');
  await page.getByRole('link', { name: ROOM }).click();
  const person = page.getByRole('row', { name: /^ben/ });
  await expect(person).toContainText('UDP');
  await expect(person).toContainText('microphone');
  await expect(person).toContainText('Good');
  await page.getByRole('button', { name: 'Remove ben' }).click();
  await page.getByRole('dialog', { name: 'Remove ben?' }).getByRole('button', { name: 'Remove' }).click();
  await expect(ben.page.getByRole('heading', { name: 'A host removed you' })).toBeVisible();
  await expect(person).toHaveCount(0);
  await page.getByRole('button', { name: 'Close room' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Close room' }).click();
  await expect(page.getByText('This room has ended.')).toBeVisible();
  await expect(ana.page.getByRole('button', { name: 'Leave' })).toHaveCount(0);
});

test('draining is told, refuses new rooms and is undone', NO_MEDIA, async ({ call }) => {
  const { page, server } = await openOperators(call);
  await signIn(page);
  const { url } = server;
  const ready = async () => (await fetch(`${url}/readyz`)).status;
  const ana = await call.join('ana');
  await page.getByRole('button', { name: 'Drain' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Drain' }).click();
  await expect(page.getByRole('status')).toContainText('1 room with 1 person left');
  expect(await ready()).toBe(503);
  const ben = await call.open('ben', { room: 'another-room' });
  await ben.requestJoin();
  await expect(ben.page.getByRole('status', { name: 'Connection' })).toHaveText('Connecting…');
  await call.join('carla');
  await ana.closeWindow();
  await page.getByRole('button', { name: 'Open rooms again' }).click();
  await expect(page.getByRole('button', { name: 'Drain' })).toBeVisible();
  expect(await ready()).toBe(200);
  // The waiting participant comes in.
  await ben.expectConnected();
});

test('the level of the log is changed and reset, and warnings are listed', NO_MEDIA, async ({ call }) => {
  const { page, server } = await openOperators(call);
  await signIn(page);
  await page.getByRole('link', { name: 'Log' }).click();
  const filter = page.getByLabel('Level, or levels of parts of the program');
  const reset = page.getByRole('button', { name: 'Reset to info' });
  await expect(filter).toHaveValue('info');
  await expect(reset).toBeDisabled();
  await filter.fill('loud');
  await page.getByRole('button', { name: 'Apply' }).click();
  await expect(page.getByRole('alert')).toContainText('there is no level `loud`');
  await filter.fill('debug');
  await page.getByRole('button', { name: 'Apply' }).click();
  await expect(reset).toBeEnabled();
  await reset.click();
  await expect(reset).toBeDisabled();
  await expect(filter).toHaveValue('info');
  await fetch(`${server.url}/api/rooms/x`, { headers: { origin: 'https://foreign.example' } });
  await expect(page.getByRole('listitem').filter({ hasText: 'https://foreign.example' })).toBeVisible();
});

/** A call as `GET /api/history/{id}` describes it. */
const CALL = {
  id: '7',
  room: 'weekly-meeting',
  startedAt: '2026-12-01T10:00:00Z',
  endedAt: '2026-12-01T10:03:00Z',
  participantCount: 1,
  causes: [{ code: 'downlink', text: 'The line to this person was too slow', isNote: false }],
};
const DIRECTION = { kbps: 900, lossPercent: 0 };
const MINUTE = { number: 0, route: 'udp', roundTripMs: 40, down: DIRECTION, up: DIRECTION, causes: [] };

test('the history shows calls, their people and minutes with causes in words', NO_MEDIA, async ({ call }) => {
  const { page } = await openOperators(call);
  await signIn(page);
  await page.getByRole('link', { name: 'History' }).click();
  await expect(page.getByText('This server keeps no history of calls.')).toBeVisible();
  const person = { id: 'p', number: 1, dialect: 'native', joinedAt: CALL.startedAt, leftAt: CALL.endedAt, causes: CALL.causes };
  const minutes = [MINUTE, { ...MINUTE, number: 1, causes: CALL.causes }];
  await page.route('**/api/history', (route) => route.fulfill({ json: { calls: [CALL], next: null } }));
  await page.route('**/api/history/7', (route) =>
    route.fulfill({ json: { ...CALL, isTruncated: false, participants: [{ ...person, minutes }] } }),
  );
  await page.getByRole('link', { name: CALL.room }).click();
  await expect(page.getByRole('heading', { level: 2, name: 'Participant 1' })).toBeVisible();
  const timeline = page.getByRole('list', { name: 'Minutes of participant 1' }).getByRole('listitem');
  await expect(timeline).toHaveText(['Minute 1: good', 'Minute 2: The line to this person was too slow']);
  await expectAccessible(page, 'a call of the history');
  await page.getByText('Figures by minute').click();
  await expect(page.getByRole('row', { name: /^2 udp 40 ms/ })).toBeVisible();
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`the operators' page has no violation in ${colorScheme} colours`, NO_MEDIA, async ({ call }) => {
    const { page } = await openOperators(call, colorScheme);
    await expect(page.getByLabel('Key')).toBeFocused();
    await expectAccessible(page, 'sign in');
    await signIn(page);
    await call.join('ana');
    for (const view of ['Overview', 'Rooms', 'Log']) {
      await page.getByRole('link', { name: view }).click();
      await expect(page.getByRole('heading', { level: 1, name: view })).toBeAttached();
      await expectAccessible(page, view);
    }
    await page.getByRole('link', { name: 'Rooms' }).click();
    await page.getByRole('link', { name: ROOM }).click();
    await expect(page.getByRole('button', { name: 'Remove ana' })).toBeVisible();
    await expectAccessible(page, 'a room');
    await page.getByRole('button', { name: 'Remove ana' }).click();
    await expectAccessible(page, 'removing somebody');
    await page.keyboard.press('Escape');
    await expect(page.getByRole('dialog')).toHaveCount(0);
    await page.setViewportSize({ width: 390, height: 844 });
    await expectAccessible(page, 'a room on a phone');
  });
}

test("the operators' page is used by keyboard and no page is wider than a phone", NO_MEDIA, async ({ call }) => {
  const { page } = await openOperators(call);
  await page.setViewportSize({ width: 390, height: 844 });
  await page.keyboard.type(KEY);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('navigation', { name: 'Views' })).toBeVisible();
  await call.join('ana');
  for (const view of ['Overview', 'Rooms', 'Log']) {
    await page.getByRole('link', { name: view }).focus();
    await page.keyboard.press('Enter');
    await expect(page.getByRole('heading', { level: 1, name: view })).toBeAttached();
    const [width, seen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    expect(width, view).toBeLessThanOrEqual(seen);
  }
});
