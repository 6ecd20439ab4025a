/** Automatic checks of accessibility (axe) on each page in both themes, and the way by keyboard alone. */
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { NO_MEDIA, ROOM, expect, test } from './callFixture';
import { ChatPage, WITHOUT_DEVICES } from './chatPage';
import { meetingRules } from './hostPanel';

/** Fails on any violation of WCAG 2.2 A and AA, and of axe's best practices. */
async function expectAccessible(page: Page, what: string): Promise<void> {
  await expectNoViolation(new AxeBuilder({ page }), what);
}

/** Checks a page as it is, and its contrasts in dark colours too. */
async function expectAccessibleInBothThemes(page: Page, what: string): Promise<void> {
  await expectAccessible(page, what);
  await page.emulateMedia({ colorScheme: 'dark' });
  await expectNoViolation(new AxeBuilder({ page }).withRules('color-contrast'), `${what} in dark colours`);
  await page.emulateMedia({ colorScheme: 'light' });
}

async function expectNoViolation(axe: AxeBuilder, what: string): Promise<void> {
  // In its old mode axe opens no page of its own, which Chromium without a sandbox refuses.
  const { violations } = await axe.setLegacyMode().analyze();
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
  expect(found, what).toEqual([]);
}

for (const colorScheme of ['light', 'dark'] as const) {
  test(`no page has a violation in ${colorScheme} colours`, NO_MEDIA, async ({ call }) => {
    const ana = await call.open('ana', { colorScheme });
    await expect(ana.page.getByRole('button', { name: 'New meeting' })).toBeVisible();
    await expectAccessible(ana.page, 'first page');
    await ana.page.getByRole('button', { name: 'Join' }).click();
    await expect(ana.page.getByRole('alert')).toBeVisible();
    await expectAccessible(ana.page, 'first page with an error');

    const ben = await call.open('ben', { room: ROOM, colorScheme });
    await expect(ben.page.getByLabel('Your name')).toBeVisible();
    await expectAccessible(ben.page, 'preview');
    await ben.join();
    await expectAccessible(ben.page, 'call, alone');
    const carla = await call.join('carla', { colorScheme });
    await expect(ben.page.getByText('carla joined')).toBeVisible();
    await ben.page.keyboard.press('p');
    await ben.page.getByRole('button', { name: 'Options for carla' }).click();
    await meetingRules(ben);
    await expectAccessible(ben.page, 'call with participants');
    await ben.page.getByRole('complementary').getByRole('button', { name: 'Breakout rooms' }).click();
    const breakouts = ben.page.getByRole('dialog', { name: 'Breakout rooms' });
    await breakouts.getByRole('button', { name: 'Open rooms' }).waitFor();
    await expectAccessible(ben.page, 'planning breakout rooms');
    await breakouts.getByRole('button', { name: 'Open rooms' }).click();
    await breakouts.getByLabel('Message to all rooms').waitFor();
    await expectAccessible(ben.page, 'open breakout rooms');
    await ben.page.keyboard.press('Escape');
    await carla.page.getByRole('button', { name: 'Devices' }).click();
    await expect(carla.page.getByRole('dialog', { name: 'Devices' })).toBeVisible();
    await expectAccessible(carla.page, 'devices');
    await ben.leave();
    await expectAccessible(ben.page, 'after the call');
  });
}

test('no dialog, message or page of trouble has a violation', NO_MEDIA, async ({ call }) => {
  const server = await call.startServer({ WATERSMEET_ROOM_POLICY: 'approval' });
  const lost = await call.open('lost', { base: `${server.url}/no-such-page` });
  await expect(lost.page.getByRole('heading', { name: 'There is no page here' })).toBeVisible();
  await expectAccessibleInBothThemes(lost.page, 'no such page');

  const ana = await call.join('ana', WITHOUT_DEVICES);
  const ben = await call.open('ben', { ...WITHOUT_DEVICES, room: ROOM });
  await ben.requestJoin();
  await expect(ben.page.getByRole('heading', { name: 'Waiting for the host' })).toBeVisible();
  await expectAccessibleInBothThemes(ben.page, 'waiting');
  await expect(ana.page.getByRole('region', { name: 'Request' })).toBeVisible();
  await expectAccessibleInBothThemes(ana.page, 'request of somebody who waits');
  await ana.page.getByRole('button', { name: 'Admit' }).click();
  await ben.expectConnected();
  await expect(ana.page.getByText('ben joined')).toBeVisible();
  await expectAccessibleInBothThemes(ana.page, 'notification');

  await ana.page.keyboard.press('s');
  await expect(ana.page.getByRole('complementary', { name: 'Statistics' }).getByRole('region', { name: 'ben' })).toBeVisible();
  await expectAccessibleInBothThemes(ana.page, 'statistics');
  await ana.page.getByRole('button', { name: 'Layout' }).click();
  await expectAccessibleInBothThemes(ana.page, 'layouts');
  await ana.page.keyboard.press('Escape');
  await ana.page.keyboard.press('p');
  await ana.page.getByRole('button', { name: 'End for everyone' }).click();
  await expect(ana.page.getByRole('dialog')).toBeVisible();
  await expectAccessibleInBothThemes(ana.page, 'ending the meeting');
  await ana.page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  await (await meetingRules(ana)).getByLabel('Who can come in').selectOption('locked');
  await expect(ana.page.getByText('The room is locked now: nobody can join.')).toBeVisible();

  const dora = await call.open('dora', { ...WITHOUT_DEVICES, room: ROOM });
  await dora.requestJoin();
  await expect(dora.page.getByRole('alert')).toContainText('This room is locked');
  await expectAccessibleInBothThemes(dora.page, 'preview of a locked room');
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`chat, raised hands and polls have no violation in ${colorScheme} colours`, NO_MEDIA, async ({ call }) => {
    const ben = await call.join('ben', { ...WITHOUT_DEVICES, colorScheme });
    await call.join('carla', WITHOUT_DEVICES);
    await ben.page.keyboard.press('p');
    await ben.page.getByRole('button', { name: 'Hand and reactions' }).click();
    await ben.page.getByRole('button', { name: 'Raise hand' }).click();
    await expect(ben.page.getByRole('list', { name: 'Raised hands' })).toBeVisible();
    await expectAccessible(ben.page, 'call with a raised hand');
    const chat = new ChatPage(ben);
    await chat.open();
    await chat.send('see https://example.org');
    await chat.receiver.selectOption('carla');
    await chat.send('for one');
    await chat.expectTexts(['see https://example.org', 'for one']);
    await expectAccessible(ben.page, 'chat');
    await chat.showPolls();
    await ben.page.getByRole('button', { name: 'New poll' }).click();
    await expectAccessible(ben.page, 'new poll');
    await ben.page.getByLabel('Question').fill('Tea?');
    await ben.page.getByLabel('Answer 1').fill('Yes');
    await ben.page.getByLabel('Answer 2').fill('No');
    await ben.page.getByRole('button', { name: 'Start poll' }).click();
    await ben.page.getByRole('radio', { name: /Yes/ }).check();
    await expectAccessible(ben.page, 'polls');
  });
}

test('somebody joins, sees who is there, mutes, shares a screen, writes, opens the devices and leaves by keyboard', NO_MEDIA, async ({ call }) => {
  const { page } = await call.open('ana', { room: ROOM });
  const press = async (...keys: string[]) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  await expect(page.getByLabel('Your name')).toBeFocused();
  await page.keyboard.type('ana');
  await press('Enter');
  await expect(page.getByRole('status', { name: 'Connection' })).toHaveText('Connected');
  const ben = await call.join('ben', WITHOUT_DEVICES);
  const tabTo = async (name: string) => {
    const button = page.getByRole('button', { name, exact: true }).last();
    for (let i = 0; i < 20 && !(await button.evaluate((it) => it === document.activeElement)); i += 1) await press('Tab');
    await expect(button).toBeFocused();
  };
  await expect(page.getByRole('heading', { level: 1 })).toBeFocused();
  const participants = page.getByRole('button', { name: 'Participants (2)' });
  await participants.focus();
  await press('Enter');
  await expect(page.getByRole('button', { name: 'Close participants' })).toBeFocused();
  await press('Escape');
  await expect(participants).toBeFocused();
  await expect(participants).toHaveAttribute('aria-expanded', 'false');
  await tabTo('Mute microphone');
  await press('Enter');
  await expect(page.getByRole('button', { name: 'Unmute microphone' })).toBeFocused();
  await expect(ben.page.getByRole('figure', { name: 'ana' }).getByRole('img', { name: 'Muted' })).toBeVisible();
  await tabTo('Share screen');
  await press('Enter');
  await expect(ben.page.getByRole('figure', { name: "ana's screen" })).toBeVisible();
  await tabTo('Your shared screens');
  await press('Enter');
  await tabTo('Stop sharing');
  await press('Enter');
  await expect(ben.page.getByRole('figure', { name: "ana's screen" })).toHaveCount(0);
  await press('c');
  await expect(page.getByLabel('Write a message')).toBeFocused();
  await page.keyboard.type('by keyboard');
  await press('Enter');
  await expect(ben.page.getByText('ana writes: by keyboard')).toBeVisible();
  await press('Escape');
  await tabTo('Devices');
  await press('Enter');
  await expect(page.getByRole('dialog', { name: 'Devices' })).toBeVisible();
  await press('Escape');
  await expect(page.getByRole('button', { name: 'Devices' })).toBeFocused();
  await tabTo('Leave');
  await press('Enter');
  await expect(page.getByRole('heading', { name: 'You left the meeting' })).toBeVisible();
});
