/** Raised hands, reactions and polls of the page, by their effect on the pages of the others. */
import type { Locator, Page } from '@playwright/test';
import { NO_MEDIA, expect, test, type CallParticipant } from './callFixture';
import { ChatPage, WITHOUT_DEVICES } from './chatPage';

/** Returns the names in the list of raised hands. */
function raisedHands(page: Page): Locator {
  return page.getByRole('list', { name: 'Raised hands' }).getByRole('listitem');
}

async function raiseHand({ page }: CallParticipant): Promise<void> {
  await page.getByRole('button', { name: 'Hand and reactions' }).click();
  await page.getByRole('button', { name: 'Raise hand' }).click();
}

async function react({ page }: CallParticipant, emoji: string): Promise<void> {
  const button = page.getByRole('button', { name: 'Hand and reactions' });
  if ((await button.getAttribute('aria-expanded')) !== 'true') await button.click();
  await page.getByRole('button', { name: `React with ${emoji}` }).click();
}

test('raised hands are in their order on all pages, over a reload, until a host lowers them', NO_MEDIA, async ({ call }) => {
  const ana = await call.join('ana', { ...WITHOUT_DEVICES, viewport: { width: 1280, height: 800 } });
  const ben = await call.join('ben', { ...WITHOUT_DEVICES, viewport: { width: 390, height: 844 } });
  const carla = await call.join('carla', WITHOUT_DEVICES);
  await raiseHand(ben);
  await expect(ana.page.getByText('ben raised a hand')).toBeVisible();
  await carla.page.keyboard.press('h');
  await expect(ana.tileOf(ben).getByRole('img', { name: 'Hand raised, number 1' })).toBeVisible();
  await expect(ana.tileOf(carla).getByRole('img', { name: 'Hand raised, number 2' })).toBeVisible();
  await ben.reload();
  await ben.expectConnected();
  await expect(ben.page.getByRole('button', { name: 'Hand and reactions' })).toHaveAttribute('aria-pressed', 'true');
  await ana.page.keyboard.press('p');
  await carla.page.keyboard.press('p');
  await expect(raisedHands(ana.page)).toHaveText([/ben/, /carla/]);
  await expect(raisedHands(carla.page)).toHaveText([/ben/, /You/]);
  await expect(carla.page.getByRole('button', { name: 'Lower hand of ben' })).toHaveCount(0);

  const dora = await call.join('dora', WITHOUT_DEVICES);
  await dora.page.keyboard.press('p');
  await expect(raisedHands(dora.page)).toHaveText([/ben/, /carla/]);
  await ana.page.getByRole('button', { name: 'Lower hand of ben' }).click();
  await expect(ben.page.getByRole('button', { name: 'Hand and reactions' })).toHaveAttribute('aria-pressed', 'false');
  await expect(raisedHands(dora.page)).toHaveText([/carla/]);
  await carla.leave();
  await expect(raisedHands(dora.page)).toHaveCount(0);
});

test('reactions are shown on the tile for some seconds', NO_MEDIA, async ({ call }) => {
  const ana = await call.join('ana', { ...WITHOUT_DEVICES, viewport: { width: 1280, height: 800 } });
  const ben = await call.join('ben', { ...WITHOUT_DEVICES, viewport: { width: 390, height: 844 } });
  await react(ben, '🎉');
  await expect(ana.tileOf(ben).getByRole('img', { name: 'Reaction 🎉' })).toBeVisible();
  await expect(ben.page.getByRole('figure', { name: 'ben (you)' }).getByRole('img', { name: 'Reaction 🎉' })).toBeVisible();
  await react(ben, '👍');
  await expect(ana.tileOf(ben).getByRole('img', { name: 'Reaction 👍' })).toBeVisible();
  await expect(ana.tileOf(ben).getByRole('img', { name: /^Reaction/ })).toHaveCount(0);
  await expect(ben.page.getByRole('button', { name: 'Hand and reactions' })).toHaveAttribute('aria-pressed', 'false');
});

for (const viewport of [{ width: 1280, height: 800 }, { width: 390, height: 844 }]) {
  test(`a poll is answered, changed and ended on all pages at ${viewport.width} px`, NO_MEDIA, async ({ call }) => {
    const ana = new ChatPage(await call.join('ana', { ...WITHOUT_DEVICES, viewport }));
    const ben = new ChatPage(await call.join('ben', { ...WITHOUT_DEVICES, viewport }));
    await ben.open();
    await ben.showPolls();
    await ben.panel.getByRole('button', { name: 'New poll' }).click();
    await expect(ben.panel.getByLabel('Question')).toBeFocused();
    await ben.panel.getByRole('button', { name: 'Start poll' }).click();
    await expect(ben.panel.getByRole('alert')).toHaveText('Type a question.');
    await ben.panel.getByLabel('Question').fill('Tea or <i>cake</i>?');
    await ben.panel.getByLabel('Answer 1').fill('Tea');
    await ben.panel.getByLabel('Answer 2').fill('Cake');
    await ben.panel.getByRole('button', { name: 'Start poll' }).click();
    await expect(ben.panel.getByRole('button', { name: 'New poll' })).toBeFocused();
    await expect(ana.page.getByText('ben asks: Tea or')).toBeVisible();
    await expect(ana.button).toHaveAccessibleName('Chat, one poll to answer');
    await ana.open();
    await ana.showPolls();
    const question = (chat: ChatPage) => chat.panel.getByRole('group', { name: 'Tea or <i>cake</i>?' });
    await question(ana).getByRole('radio', { name: /Tea/ }).check();
    await expect(question(ben)).toContainText('Tea1one vote');
    await question(ben).getByRole('radio', { name: /Tea/ }).check();
    await expect(question(ana)).toContainText('Tea22 votes');
    await question(ana).getByRole('radio', { name: /Cake/ }).check();
    await expect(question(ben)).toContainText('Cake1one vote');

    const carla = new ChatPage(await call.join('carla', { ...WITHOUT_DEVICES, viewport }));
    await carla.open();
    await carla.showPolls();
    await expect(question(carla)).toContainText('Cake1one vote');
    await expect(carla.panel.getByRole('button', { name: 'End poll' })).toHaveCount(0);
    // A reload does not give a second vote.
    await ana.page.reload();
    await ana.open();
    await ana.showPolls();
    await expect(question(ana).getByRole('radio', { name: /Cake/ })).toBeChecked();
    await question(ana).getByRole('button', { name: 'End poll' }).click();
    await expect(question(carla)).toContainText('The poll has ended');
    await expect(question(carla).getByRole('radio', { name: /Tea/ })).toBeDisabled();
  });
}
