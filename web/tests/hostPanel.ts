/** The list of participants with what hosts find there. */
import type { Locator } from '@playwright/test';
import type { CallParticipant } from './callFixture';

/** Returns the list of participants; opens it if necessary. */
export async function participantsPanel({ page }: CallParticipant): Promise<Locator> {
  const panel = page.getByRole('complementary', { name: 'Participants' });
  if (!(await panel.isVisible())) await page.getByRole('button', { name: /^Participants \(/ }).click();
  return panel;
}

/** Returns the rules that a host may change; unfolds them if necessary. */
export async function meetingRules(host: CallParticipant): Promise<Locator> {
  const rules = (await participantsPanel(host)).locator('details').filter({ hasText: 'Meeting rules' });
  if ((await rules.getAttribute('open')) === null) await rules.locator('summary').click();
  return rules;
}
