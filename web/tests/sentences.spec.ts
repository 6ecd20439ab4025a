/** Sentences that state a condition, and are shown only while it holds. */
import { randomBytes } from 'node:crypto';
import type { Locator } from '@playwright/test';
import { NO_MEDIA, ROOM, expect, test, type Call, type CallParticipant } from './callFixture';
import { meetingRules } from './hostPanel';

/** Creates a room for this page's person with the policy of this label, and returns the page, joined, and the link. */
async function createRoom(call: Call, policy: string, title: string): Promise<{ host: CallParticipant; link: string }> {
  await call.startServer({ JWT_SECRET: randomBytes(32).toString('hex') });
  const host = await call.open('ana');
  await host.page.getByLabel('Who can come in').selectOption(policy);
  await host.page.getByLabel('Name of the meeting').fill(title);
  await host.page.getByRole('button', { name: 'New meeting' }).click();
  await host.join();
  await host.forbidClipboard();
  await host.page.getByRole('button', { name: 'Copy link' }).first().click();
  const link = await host.page.getByLabel('Copy this link').inputValue();
  await host.page.keyboard.press('Escape');
  return { host, link };
}

/** The card over the tiles while nobody else is shown. */
function aloneCard({ page }: CallParticipant): Locator {
  return page.locator('.invite');
}

test('who waits is told whether a host is there', NO_MEDIA, async ({ call }) => {
  const { host, link } = await createRoom(call, 'People whom I let in', 'Weekly meeting');
  const ben = await call.open('ben', { base: link });
  await expect(ben.page.getByRole('heading', { level: 1 })).toHaveText('Weekly meeting');
  await ben.requestJoin();
  const status = ben.page.getByRole('status');
  await expect(status).toContainText('The host knows that you are here.');
  await host.leave();
  await expect(status).toContainText('No host is here now.');
  await expect(host.page.getByText('The room Weekly meeting stays open')).toBeVisible();
  await host.page.getByRole('button', { name: 'Rejoin' }).click();
  await expect(status).toContainText('The host knows that you are here.');
  await expect(aloneCard(host)).toContainText('Somebody waits to come in.');
  await expect(aloneCard(host).getByRole('button', { name: 'Copy link' })).toHaveCount(0);
  await host.page.getByRole('button', { name: 'Admit' }).click();
  await ben.expectConnected();
  await expect(aloneCard(host)).toHaveCount(0);
});

test('the name of a meeting is shown instead of its id', NO_MEDIA, async ({ call }) => {
  const { host, link } = await createRoom(call, 'Invited people only', '');
  const title = host.page.getByRole('heading', { level: 1 });
  await expect(title).toHaveText(/^[A-Z][a-z]+ [a-z]+ [a-z]+$/);
  const name = await title.innerText();
  await expect(host.page).toHaveTitle(`${name} · Watersmeet`);
  const ben = await call.open('ben', { base: link });
  await expect(ben.page.getByRole('heading', { level: 1 })).toHaveText(name);
  await ben.join();
  await expect(ben.page.getByRole('heading', { level: 1 })).toHaveText(name);
  await ben.leave();
  await expect(ben.page.getByText(`The room ${name} stays open`)).toBeVisible();
});

test('who is alone is told why, and how others come in', NO_MEDIA, async ({ call }) => {
  const ana = await call.join('ana');
  await expect(aloneCard(ana)).toContainText(/^Nobody else is here\.\s*Send the link/);
  const policy = (await meetingRules(ana)).getByLabel('Who can come in');
  await policy.selectOption('Nobody: the room is locked');
  await expect(aloneCard(ana)).toContainText('The room is locked: the link lets nobody in.');
  await policy.selectOption('Invited people only');
  await expect(aloneCard(ana)).toContainText('Only people with an invitation can come in.');
  await policy.selectOption('Anyone with the link');
  const ben = await call.join('ben');
  await expect(aloneCard(ana)).toHaveCount(0);
  await ben.leave();
  await expect(aloneCard(ana)).toContainText(/^Everybody else has left\.\s*Send the link/);
});

test('each press of a refused device says why it stays off', NO_MEDIA, async ({ call }) => {
  const ana = await call.open('ana', { room: ROOM });
  await ana.page.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('refused', 'NotAllowedError'));
  });
  await ana.reload();
  await expect(ana.page.getByRole('alert')).toContainText('You can also join without.');
  await ana.join();
  const problem = ana.page.getByRole('status').filter({ hasText: 'Your system does not let this browser use the camera and microphone.' });
  await expect(problem).not.toContainText('join without');
  await problem.getByRole('button', { name: 'Dismiss' }).click();
  await expect(problem).toHaveCount(0);
  for (const button of ['Turn camera on', 'Unmute microphone', 'Turn camera on']) {
    await ana.page.getByRole('button', { name: button }).click();
    await expect(problem).toBeVisible();
    await problem.getByRole('button', { name: 'Dismiss' }).click();
    await expect(problem).toHaveCount(0);
  }
});

test('a name that is too long is told before joining', NO_MEDIA, async ({ call }) => {
  const ana = await call.open('ana', { room: ROOM });
  await ana.page.getByLabel('Your name').fill('x'.repeat(65));
  await expect(ana.page.getByRole('alert')).toHaveText('At most 64 characters fit here.');
  await ana.page.getByRole('button', { name: 'Join now' }).click();
  await expect(ana.page.getByLabel('Your name')).toBeVisible();
  await ana.join();
});

test('half a character in a name does not keep anybody out', NO_MEDIA, async ({ call }) => {
  const ana = await call.open('ana', { room: ROOM });
  await ana.page.getByLabel('Your name').evaluate((input: HTMLInputElement) => {
    input.value = `Ana${String.fromCharCode(0xd83d)}`;
    input.dispatchEvent(new Event('input', { bubbles: true }));
  });
  await ana.page.getByRole('button', { name: 'Join now' }).click();
  await ana.expectConnected();
});
