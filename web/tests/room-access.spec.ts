/** Room policies, invitations, roles and moderation in real browsers. */
import { randomBytes } from 'node:crypto';
import type { Locator } from '@playwright/test';
import { NIGHTLY, NO_MEDIA, ROOM, expect, test, type Call, type CallParticipant } from './callFixture';
import { meetingRules, participantsPanel } from './hostPanel';
import { signToken } from './jwt';
import type { Server } from './server';

/** Secret of the servers of these tests. */
const SECRET = randomBytes(32).toString('hex');

/** Starts a server whose rooms have this policy. */
function startServerWithPolicy(call: Call, policy: string): Promise<Server> {
  return call.startServer({ JWT_SECRET: SECRET, WATERSMEET_ROOM_POLICY: policy });
}

async function expectWaiting(participant: CallParticipant): Promise<void> {
  await expect(participant.page.getByRole('heading', { name: 'Waiting for the host' })).toBeVisible();
}

/** Returns the host's actions on a participant; opens them if necessary. */
async function hostActions(host: CallParticipant, other: CallParticipant): Promise<Locator> {
  const panel = await participantsPanel(host);
  const group = panel.getByRole('group', { name: `Options for ${other.name}` });
  if (!(await group.isVisible())) await panel.getByRole('button', { name: `Options for ${other.name}` }).click();
  return group;
}

/** Returns the request that a host is shown over the tiles. */
function requestCard(host: CallParticipant): Locator {
  return host.page.getByRole('region', { name: 'Request' });
}

async function expectRefused(participant: CallParticipant, message: string): Promise<void> {
  await expect(participant.page.getByRole('alert')).toContainText(message);
  await expect(participant.page.getByRole('button', { name: 'Join now' })).toBeVisible();
}

async function expectViewer(participant: CallParticipant): Promise<void> {
  await expect(participant.page.getByRole('button', { name: 'Ask to speak' })).toBeVisible();
}

test('a host admits a waiting participant, and they exchange media', async ({ call }) => {
  await startServerWithPolicy(call, 'approval');
  const ana = await call.join('ana');
  const ben = await call.open('ben', { room: ROOM });
  await ben.requestJoin();
  await expectWaiting(ben);
  await expect(requestCard(ana)).toContainText('ben waits to come in');
  await expect(ana.tileOf(ben)).toHaveCount(0);
  await expect((await meetingRules(ana)).getByLabel('Who can come in')).toHaveValue('approval');
  await ana.page.keyboard.press('p');
  await requestCard(ana).getByRole('button', { name: 'Admit' }).click();
  await ben.expectConnected();
  await ben.expectVideoFrom(ana);
  await ana.expectVideoFrom(ben);
  await ana.expectAudioFrom(ben);
  await expect(requestCard(ana)).toHaveCount(0);
});

test('a denied participant is told and can ask again', NIGHTLY, async ({ call }) => {
  await startServerWithPolicy(call, 'approval');
  const ana = await call.join('ana');
  const ben = await call.open('ben', { room: ROOM });
  await ben.requestJoin();
  const waiting = (await participantsPanel(ana)).getByRole('list', { name: 'Waiting to come in' });
  await waiting.getByRole('listitem', { name: 'ben' }).getByRole('button', { name: 'Deny' }).click();
  await expect(ben.page.getByRole('heading', { name: 'You were not let in' })).toBeVisible();
  await expect(waiting).toHaveCount(0);
  await ben.page.getByRole('button', { name: 'Ask again' }).click();
  await expectWaiting(ben);
  await waiting.getByRole('listitem', { name: 'ben' }).getByRole('button', { name: 'Admit' }).click();
  await ben.expectVideoFrom(ana);
});

test('leaving or reloading while waiting leaves at most one request', NO_MEDIA, async ({ call }) => {
  await startServerWithPolicy(call, 'approval');
  const ana = await call.join('ana');
  const ben = await call.open('ben', { room: ROOM });
  await ben.requestJoin();
  await expectWaiting(ben);
  await ben.reload();
  await expectWaiting(ben);
  await expect(requestCard(ana)).toContainText('ben waits to come in');
  await ben.leave();
  await expect(requestCard(ana)).toHaveCount(0);
});

test('a waiting participant joins after a server restart without a host', NO_MEDIA, async ({ call }) => {
  const server = await startServerWithPolicy(call, 'approval');
  const ana = await call.join('ana');
  const ben = await call.open('ben', { room: ROOM });
  await ben.requestJoin();
  await expectWaiting(ben);
  await server.kill();
  await expect(ben.page.getByText('The connection was lost.')).toBeVisible();
  await ana.closeWindow();
  await server.restart();
  await ben.expectConnected();
  await expect((await participantsPanel(ben)).getByRole('listitem', { name: 'ben (you)' })).toContainText('Host');
});

test('a locked room refuses participants with a message', async ({ call }) => {
  await startServerWithPolicy(call, 'open');
  const ana = await call.join('ana');
  await (await meetingRules(ana)).getByLabel('Who can come in').selectOption('Nobody: the room is locked');
  await expect(ana.page.getByRole('log')).toContainText('The room is locked now');
  const ben = await call.open('ben', { room: ROOM });
  await ben.requestJoin();
  await expectRefused(ben, 'This room is locked');
  await (await meetingRules(ana)).getByLabel('Who can come in').selectOption('Anyone with the link');
  await expect(ana.page.getByRole('log')).toContainText('Anyone with the link can join now');
  await ben.requestJoin();
  await ben.expectVideoFrom(ana);
});

test('missing and invalid invitations are refused', NO_MEDIA, async ({ call }) => {
  await startServerWithPolicy(call, 'invite-only');
  const invalid = {
    none: '',
    otherSecret: signToken({ roomId: ROOM }, randomBytes(32).toString('hex')),
    otherRoom: signToken({ roomId: 'elsewhere' }, SECRET),
    expired: signToken({ roomId: ROOM, iat: 1_000, exp: 2_000 }, SECRET),
  };
  for (const [name, token] of Object.entries(invalid)) {
    const participant = await call.open(name, { room: ROOM, ...(token && { options: { token } }) });
    await participant.requestJoin();
    await expectRefused(participant, token ? 'Your invitation does not open this room' : 'only for people with an invitation');
  }
});

test('an invitation is accepted in every form of URL', async ({ call }) => {
  await startServerWithPolicy(call, 'invite-only');
  const ana = await call.join('ana', { options: { token: signToken({ roomId: ROOM }, SECRET) } });
  const ben = await call.open('ben');
  await ben.page.goto(new URL(`/room/${ROOM}?width=640&inviteToken=${signToken({ roomId: ROOM }, SECRET)}`, ben.page.url()).href);
  await ben.requestJoin();
  await ben.expectVideoFrom(ana);
  await ben.reload();
  await ben.expectConnected();
  await ben.expectVideoFrom(ana);
});

test('a room created with an invitation is joined through its link', NIGHTLY, async ({ call }) => {
  await startServerWithPolicy(call, 'open');
  const ana = await call.open('ana');
  await ana.page.getByLabel('Who can come in').selectOption('Invited people only');
  await ana.page.getByRole('button', { name: 'New meeting' }).click();
  await ana.join();
  await ana.forbidClipboard();
  await ana.page.getByRole('button', { name: 'Copy link' }).first().click();
  const link = await ana.page.getByLabel('Copy this link').inputValue();

  const ben = await call.open('ben');
  await ben.page.getByLabel('Room name or link').fill(link);
  await ben.page.getByRole('button', { name: 'Join' }).click();
  await ben.requestJoin();
  await ben.expectVideoFrom(ana);
  await ana.expectVideoFrom(ben);

  const uninvited = new URL(link);
  uninvited.searchParams.delete('token');
  const carla = await call.open('carla');
  await carla.page.goto(uninvited.href);
  await carla.requestJoin();
  await expectRefused(carla, 'only for people with an invitation');

  await ana.reload();
  await ana.expectConnected();
  await expect((await participantsPanel(ana)).getByRole('listitem', { name: 'ana (you)' })).toContainText('Host');
});

test('creating a room requires a token where the server is configured so', NO_MEDIA, async ({ call }) => {
  await call.startServer({ JWT_SECRET: SECRET, WATERSMEET_ROOM_CREATION: 'token' });
  const ana = await call.open('ana');
  await ana.page.getByLabel('Who can come in').selectOption('People whom I let in');
  await ana.page.getByRole('button', { name: 'New meeting' }).click();
  await expect(ana.page.getByRole('alert')).toContainText('does not let everybody make such rooms');

  const token = signToken({ userId: 'ben', email: 'ben@meet.example' }, SECRET);
  const ben = await call.open('ben', { options: { token } });
  await ben.page.getByLabel('Who can come in').selectOption('People whom I let in');
  await ben.page.getByRole('button', { name: 'New meeting' }).click();
  await ben.join();
  await expect((await meetingRules(ben)).getByLabel('Who can come in')).toHaveValue('approval');
});

test('a viewer receives media and sends it after a host grants the request to speak', async ({ call }) => {
  await startServerWithPolicy(call, 'open');
  const ana = await call.join('ana');
  const token = signToken({ room: ROOM, canPublish: false, canSubscribe: true }, SECRET);
  const ben = await call.join('ben', { options: { token } });
  await expectViewer(ben);
  await ben.expectVideoFrom(ana);
  await ana.expectNoVideoFrom(ben);
  await ben.page.keyboard.press('m');
  await expect(ben.page.getByRole('log')).toContainText('You are watching');
  await ben.page.getByRole('button', { name: 'Ask to speak' }).click();
  await expect(requestCard(ana)).toContainText('ben asks to speak');
  await requestCard(ana).getByRole('button', { name: 'Allow' }).click();
  await ana.expectVideoFrom(ben);
  await ana.expectAudioFrom(ben);
  await expect(ben.page.getByRole('button', { name: 'Mute microphone' })).toBeVisible();
});

test('a host demotes a speaker and promotes them again', NIGHTLY, async ({ call }) => {
  await startServerWithPolicy(call, 'open');
  const ana = await call.join('ana');
  const ben = await call.join('ben');
  await ana.expectVideoFrom(ben);
  await (await hostActions(ana, ben)).getByRole('button', { name: 'Make viewer' }).click();
  await expectViewer(ben);
  await ana.expectNoVideoFrom(ben);
  await expect((await participantsPanel(ana)).getByRole('listitem', { name: 'ben' })).toContainText('Viewer');
  await (await hostActions(ana, ben)).getByRole('button', { name: 'Make speaker' }).click();
  await ana.expectVideoFrom(ben);
  await ana.expectAudioFrom(ben);
});

test('a participant muted by a host is told and can unmute', async ({ call }) => {
  await startServerWithPolicy(call, 'open');
  const ana = await call.join('ana');
  const ben = await call.join('ben');
  await ana.expectAudioFrom(ben);
  await (await hostActions(ana, ben)).getByRole('button', { name: 'Mute' }).click();
  await expect(ben.page.getByRole('log')).toContainText('A host muted you.');
  await expect(ben.page.getByRole('button', { name: 'Unmute microphone' })).toBeVisible();
  await ana.expectSilenceFrom(ben);
  await ana.expectVideoFrom(ben);
  await ben.unmute();
  await ana.expectAudioFrom(ben);
});

test('a participant removed by a host is told and leaves', async ({ call }) => {
  await startServerWithPolicy(call, 'open');
  const ana = await call.join('ana');
  const ben = await call.join('ben');
  await ana.expectVideoFrom(ben);
  await (await hostActions(ana, ben)).getByRole('button', { name: 'Remove' }).click();
  const question = ana.page.getByRole('dialog', { name: 'Remove ben?' });
  await question.getByRole('button', { name: 'Cancel' }).click();
  await expect(ana.tileOf(ben)).toBeVisible();
  await (await hostActions(ana, ben)).getByRole('button', { name: 'Remove' }).click();
  await question.getByRole('button', { name: 'Remove' }).click();
  await ana.expectTileGone(ben, 2_000);
  await expect(ben.page.getByRole('heading', { name: 'A host removed you' })).toBeVisible();
  await ben.reload();
  await ben.requestJoin();
  await ana.expectVideoFrom(ben);
});

test('a participant removed and kept out by a host cannot join again', NIGHTLY, async ({ call }) => {
  await startServerWithPolicy(call, 'open');
  const ana = await call.join('ana');
  const ben = await call.join('ben');
  await ana.expectVideoFrom(ben);
  await (await hostActions(ana, ben)).getByRole('button', { name: 'Remove' }).click();
  const question = ana.page.getByRole('dialog', { name: 'Remove ben?' });
  await question.getByRole('checkbox', { name: 'Keep ben out of this meeting' }).check();
  await question.getByRole('button', { name: 'Remove' }).click();
  await expect(ben.page.getByRole('heading', { name: 'A host removed you' })).toBeVisible();
  await ben.reload();
  await ben.requestJoin();
  await expect(ben.page.getByRole('alert')).toContainText('A host of this meeting keeps you out.');
  await expect(ana.tileOf(ben)).toBeHidden();
});

test('the next host sees pending requests when the host leaves', async ({ call }) => {
  await startServerWithPolicy(call, 'approval');
  const ana = await call.join('ana');
  const ben = await call.open('ben', { room: ROOM });
  await ben.requestJoin();
  await requestCard(ana).getByRole('button', { name: 'Admit' }).click();
  await ben.expectConnected();
  const carla = await call.open('carla', { room: ROOM });
  await carla.requestJoin();
  await expectWaiting(carla);
  await ana.leave();
  await expect(requestCard(ben)).toContainText('carla waits to come in');
  await requestCard(ben).getByRole('button', { name: 'Admit' }).click();
  await carla.expectVideoFrom(ben);
});
