/** What the tests of the chat do and see on a page. */
import type { Locator, Page } from '@playwright/test';
import { expect, type CallParticipant } from './callFixture';

/** Options of people who only write: their cameras would cost the machine, and show nothing. */
export const WITHOUT_DEVICES = { options: { camera: '0', mic: '0' } };

export class ChatPage {
  readonly page: Page;
  /** The button that opens the chat; its name has the number of unread messages. */
  readonly button: Locator;
  readonly panel: Locator;
  readonly field: Locator;
  readonly messages: Locator;
  readonly receiver: Locator;

  constructor(participant: CallParticipant) {
    this.page = participant.page;
    this.button = this.page.getByRole('banner').getByRole('button', { name: /^Chat/ });
    this.panel = this.page.getByRole('complementary', { name: 'Chat' });
    this.field = this.panel.getByLabel('Write a message');
    this.messages = this.panel.getByRole('log', { name: 'Chat messages' }).getByRole('listitem');
    this.receiver = this.panel.getByLabel('To', { exact: true });
  }

  async open(): Promise<void> {
    await this.button.click();
    await expect(this.panel).toBeVisible();
  }

  async close(): Promise<void> {
    await this.panel.getByRole('button', { name: 'Close chat' }).click();
    await expect(this.panel).toBeHidden();
  }

  async showPolls(): Promise<void> {
    await this.panel.getByRole('button', { name: /^Polls/ }).click();
  }

  async send(text: string): Promise<void> {
    await this.field.fill(text);
    await this.field.press('Enter');
  }

  /** Waits until the texts of all messages, in their order, are these. */
  async expectTexts(texts: (string | RegExp)[]): Promise<void> {
    await expect(this.messages.locator('.chat-text')).toHaveText(texts);
  }
}
