/** Captions of one person's voice on the page of another. */
import type { Page } from '@playwright/test';
import { NO_MEDIA, ROOM, expect, test, type CallParticipant } from './callFixture';

declare global {
  interface Window {
    /** Makes the fake recognition hear words; false where nothing listens. */
    say(transcript: string, isFinal: boolean): boolean;
  }
}

/** Replaces the speech recognition of a page by one that hears what the test says, and loads the page again. */
async function fakeRecognition({ page }: CallParticipant): Promise<void> {
  await page.addInitScript(() => {
    let listening: { onresult?: (event: object) => void } | null = null;
    class FakeRecognition {
      onresult?: (event: object) => void;
      start() {
        listening = this;
      }
      abort() {
        listening = null;
      }
    }
    Object.assign(window, { SpeechRecognition: FakeRecognition });
    window.say = (transcript, isFinal) => {
      listening?.onresult?.({ resultIndex: 0, results: [Object.assign([{ transcript }], { isFinal })] });
      return listening !== null;
    };
  });
  await page.reload();
}

function say(page: Page, transcript: string, isFinal: boolean): Promise<boolean> {
  return page.evaluate(([text, final]) => window.say(text, final), [transcript, isFinal] as const);
}

async function showCaptions({ page }: CallParticipant): Promise<void> {
  await page.getByRole('button', { name: 'Layout' }).click();
  await page.getByRole('checkbox', { name: 'Show captions' }).check();
  await page.keyboard.press('Escape');
}

test('a person who agrees is captioned on the pages of the others', NO_MEDIA, async ({ call }) => {
  await call.startServer();
  const ada = await call.open('Ada', { room: ROOM });
  await fakeRecognition(ada);
  await ada.join();
  const ben = await call.join('Ben');
  await showCaptions(ada);
  await showCaptions(ben);
  const captions = ben.page.getByRole('region', { name: 'Captions' });
  const spoken = ben.page.getByRole('log', { name: 'Captions' });
  await expect(captions).toContainText('Captions appear here');

  await ada.page.getByRole('button', { name: 'Caption what I say' }).click();
  expect(await say(ada.page, 'not yet', true)).toBe(false);
  await expect(ada.page.getByRole('dialog')).toContainText('servers of its maker');
  await ada.page.getByRole('button', { name: 'Start captions' }).click();
  await expect.poll(() => say(ada.page, 'Good mor', false)).toBe(true);
  await expect(captions).toContainText('Ada Good mor');
  await expect(spoken).toHaveText('');
  await say(ada.page, 'Good morning Ben', true);
  await expect(captions).toContainText('Ada Good morning Ben');
  await expect(spoken).toHaveText('Ada: Good morning Ben');

  await ada.mute();
  await expect.poll(() => say(ada.page, 'to myself', true)).toBe(false);
  await ada.unmute();
  await expect.poll(() => say(ada.page, 'heard again', true)).toBe(true);
  await expect(captions).toContainText('Ada heard again');
});
