/** What hosts do, and its effect on the pages of the others. The server refuses the same to everybody else. */
import type { Locator } from '@playwright/test';
import { NO_MEDIA, ROOM, expect, test, type CallParticipant } from './callFixture';
import { ChatPage } from './chatPage';
import { meetingRules, participantsPanel } from './hostPanel';
import { expectDecoded, shareText } from './sharing';

/** Sound alone: video encoders are a load of which these tests need nothing. */
const VOICE = { options: { camera: '0' } };
/** For tests of what pages say: devices off. */
const QUIET = { options: { camera: '0', mic: '0' } };

/** Presses a button among a host's actions on a participant. */
async function act(host: CallParticipant, other: CallParticipant, action: string): Promise<void> {
  const panel = await participantsPanel(host);
  const group = panel.getByRole('group', { name: `Options for ${other.name}` });
  if (!(await group.isVisible())) await panel.getByRole('button', { name: `Options for ${other.name}` }).click();
  await group.getByRole('button', { name: action, exact: true }).click();
}

function messages(participant: CallParticipant): Locator {
  return participant.page.getByRole('log');
}

/** Share of the stage that a tile covers. */
async function shareOf(viewer: CallParticipant, shown: CallParticipant): Promise<number> {
  const stage = await viewer.page.getByRole('region', { name: 'People' }).boundingBox();
  const tile = await viewer.tileOf(shown).boundingBox();
  if (!stage || !tile) return 0;
  return (tile.width * tile.height) / (stage.width * stage.height);
}

test('muting all silences everybody else, and asking to unmute leaves it to them', async ({ call }) => {
  const [ana, ben, carla] = [
    await call.join('ana', VOICE),
    await call.join('ben', VOICE),
    await call.join('carla', VOICE),
  ];
  await ana.expectAudioFrom(ben);
  await ana.expectAudioFrom(carla);
  await participantsPanel(ana);
  // Messages are shown for some seconds only.
  const told = [ben, carla].map((muted) => expect(messages(muted)).toContainText('A host muted you.'));
  await (await participantsPanel(ana)).getByRole('button', { name: 'Mute all' }).click();
  await Promise.all([...told, expect(messages(ana)).toContainText('Everyone else is muted.')]);
  for (const muted of [ben, carla]) await ana.expectSilenceFrom(muted);
  await ben.expectAudioFrom(ana);
  await act(ana, ben, 'Ask to unmute');
  await expect(messages(ana)).toContainText('ben has been asked to unmute.');
  const request = ben.page.getByRole('region', { name: 'Request' });
  await expect(request).toContainText('ana asks you to unmute');
  await expect(carla.page.getByRole('region', { name: 'Request' })).toHaveCount(0);
  await ana.expectSilenceFrom(ben);
  await request.getByRole('button', { name: 'Unmute' }).click();
  await expect(request).toHaveCount(0);
  await ana.expectAudioFrom(ben);
});

test('a share that a host stops ends for everybody, and only hosts share where a host says so', async ({ call }) => {
  const [ana, ben, carla] = [
    await call.join('ana', VOICE),
    await call.join('ben', VOICE),
    await call.join('carla', VOICE),
  ];
  await shareText(ben, 640, 360);
  const share = ben.page.getByRole('button', { name: 'Share screen' });
  await share.click();
  for (const viewer of [ana, carla]) await expectDecoded(viewer, 'Screen shared by ben', 640, 360);
  const stopped = expect(messages(ben)).toContainText('A host stopped your screen sharing.');
  await act(ana, ben, 'Stop their sharing');
  await stopped;
  for (const viewer of [ana, carla]) {
    await expect(viewer.page.getByRole('figure', { name: "ben's screen" })).toHaveCount(0);
  }
  await expect(ben.page.getByRole('figure', { name: 'Your screen' })).toHaveCount(0);

  await (await meetingRules(ana)).getByLabel('Who can share a screen').selectOption('Hosts only');
  await expect(messages(carla)).toContainText('Only hosts can start to share a screen now.');
  await share.click();
  await expect(messages(ben)).toContainText('Only hosts can share a screen in this meeting.');
  await act(ana, ben, 'Make host');
  await expect(messages(ben)).toContainText('You are a host now.');
  await share.click();
  await expectDecoded(carla, 'Screen shared by ben', 640, 360);
});

test('a spotlight makes one person large on every page, until the host ends it', NO_MEDIA, async ({ call }) => {
  const [ana, ben, carla, dora] = [
    await call.join('ana', QUIET),
    await call.join('ben', QUIET),
    await call.join('carla', QUIET),
    await call.join('dora', QUIET),
  ];
  const large = (viewer: CallParticipant) => expect.poll(() => shareOf(viewer, carla)).toBeGreaterThan(0.5);
  const small = (viewer: CallParticipant) => expect.poll(() => shareOf(viewer, carla)).toBeLessThan(0.4);
  await small(ben);
  const told = expect(messages(carla)).toContainText('A host shows you large to everyone.');
  await act(ana, carla, 'Show large to all');
  await told;
  await ana.page.keyboard.press('p');
  for (const viewer of [ana, ben, dora]) await large(viewer);
  await expect(ben.tileOf(carla).getByLabel('Shown large to everyone by a host')).toBeVisible();

  // Who joins later sees it too, and it stays over a reload of the one who is shown.
  const emil = await call.join('emil', QUIET);
  await large(emil);
  await carla.reload();
  await carla.expectConnected();
  await large(ben);

  const ended = expect(messages(carla)).toContainText('You are no longer shown large to everyone.');
  await act(ana, carla, 'Stop showing large');
  await ended;
  for (const viewer of [ben, dora]) await small(viewer);

  await act(ana, ana, 'Show large to all');
  await expect.poll(() => shareOf(ben, ana)).toBeGreaterThan(0.5);
  await act(ana, ana, 'Stop showing large');
  await expect.poll(() => shareOf(ben, ana)).toBeLessThan(0.4);
});

test('a host who ends the meeting ends it for everybody, with a sentence that says so', NO_MEDIA, async ({ call }) => {
  const ana = await call.join('ana', QUIET);
  const ben = await call.join('ben', QUIET);
  await (await meetingRules(ana)).getByLabel('Who can come in').selectOption('People whom I let in');
  const carla = await call.open('carla', { room: ROOM, ...QUIET });
  await carla.requestJoin();
  await expect(carla.page.getByRole('heading', { name: 'Waiting for the host' })).toBeVisible();
  await (await participantsPanel(ana)).getByRole('button', { name: 'End for everyone' }).click();
  const question = ana.page.getByRole('dialog', { name: 'End the meeting for everyone?' });
  await question.getByRole('button', { name: 'Cancel' }).click();
  await ben.expectConnected();
  await (await participantsPanel(ana)).getByRole('button', { name: 'End for everyone' }).click();
  await question.getByRole('button', { name: 'End for everyone' }).click();
  for (const participant of [ana, ben, carla]) {
    await expect(participant.page.getByRole('heading', { name: 'The meeting has ended' })).toBeVisible();
    await expect(participant.page.getByText(/^A host ended the meeting .* for everyone\.$/)).toBeVisible();
    await expect(participant.page.getByRole('button', { name: 'Rejoin' })).toHaveCount(0);
  }
});

test('a host who reloads is still the host, and nobody else becomes one', NO_MEDIA, async ({ call }) => {
  const ana = await call.join('ana', QUIET);
  const ben = await call.join('ben', QUIET);
  await ana.reload();
  await ana.expectConnected();
  await expect((await participantsPanel(ana)).getByRole('listitem', { name: 'ana (you)' })).toContainText('Host');
  await expect((await participantsPanel(ben)).getByRole('listitem', { name: 'ben (you)' })).not.toContainText('Host');
  await expect((await participantsPanel(ben)).getByRole('listitem', { name: 'ana' })).toContainText('Host');
});

test('participants who are no hosts see none of it', NO_MEDIA, async ({ call }) => {
  await call.join('ana', QUIET);
  const ben = await call.join('ben', QUIET);
  const panel = await participantsPanel(ben);
  await expect(panel.getByRole('listitem', { name: 'ana' })).toBeVisible();
  for (const name of ['Mute all', 'End for everyone', /^Options for/]) {
    await expect(panel.getByRole('button', { name })).toHaveCount(0);
  }
  await expect(panel.getByLabel('Who can share a screen')).toHaveCount(0);
  await expect(panel.getByLabel('Who can write in the chat')).toHaveCount(0);
});

test('a host says among the rules of the room who may write in the chat', NO_MEDIA, async ({ call }) => {
  const ana = await call.join('ana', QUIET);
  const ben = await call.join('ben', QUIET);
  const rule = (await meetingRules(ana)).getByLabel('Who can write in the chat');
  await rule.selectOption('Hosts; others to hosts only');
  await expect(messages(ben)).toContainText('Only hosts can write to everybody in the chat now.');
  const carla = new ChatPage(await call.join('carla', QUIET));
  await carla.open();
  await expect(carla.panel.getByText('Only hosts write to everybody here.')).toBeVisible();
  await act(ana, ben, 'Make host');
  await expect((await meetingRules(ben)).getByLabel('Who can write in the chat')).toHaveValue('hosts');
  await rule.selectOption('Everybody');
  await expect(carla.panel.getByText('Only hosts write to everybody here.')).toHaveCount(0);
});
