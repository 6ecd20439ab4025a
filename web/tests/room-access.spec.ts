/** Who may come in, who may speak, and what a host decides, between real browsers. */
import { createHmac, randomBytes } from 'node:crypto';
import type { Locator } from '@playwright/test';
import { expect, test, type People, type Person } from './callFixture';
import type { Server } from './server';

const ROOM = 'tea-at-four';
/** What the servers of these tests sign with. */
const SECRET = randomBytes(32).toString('hex');
const HOUR_S = 3_600;

/** A server where rooms are like this. */
function meetWhere(people: People, policy: string): Promise<Server> {
  return people.meetAt({ JWT_SECRET: SECRET, WATERSMEET_ROOM_POLICY: policy });
}

/** A token that says this, signed as HS256. */
function sign(claims: object, secret = SECRET): string {
  const nowS = Math.floor(Date.now() / 1_000);
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const body = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ iat: nowS, exp: nowS + HOUR_S, ...claims })}`;
  return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
}

/** Types the name and asks to come in; what happens then is the test's. */
async function knocks(person: Person): Promise<void> {
  await person.page.getByLabel('Your name').fill(person.name);
  await person.page.getByRole('button', { name: 'Join now' }).click();
}

async function waits(person: Person): Promise<void> {
  await expect(person.page.getByRole('heading', { name: 'Waiting for the host' })).toBeVisible();
}

/** The list of participants, opened if it is not. */
async function list(host: Person): Promise<Locator> {
  const panel = host.page.getByRole('complementary', { name: 'Participants' });
  if (!(await panel.isVisible())) await host.page.getByRole('button', { name: /^Participants \(/ }).click();
  return panel;
}

/** What a host can do about somebody, opened in the list. */
async function optionsFor(host: Person, other: Person): Promise<Locator> {
  const panel = await list(host);
  const group = panel.getByRole('group', { name: `Options for ${other.name}` });
  if (!(await group.isVisible())) await panel.getByRole('button', { name: `Options for ${other.name}` }).click();
  return group;
}

/** What a host is asked over the stage. */
function requestTo(host: Person): Locator {
  return host.page.getByRole('region', { name: 'Request' });
}

async function isToldWhyNot(person: Person, sentence: string): Promise<void> {
  await expect(person.page.getByRole('alert')).toContainText(sentence);
  await expect(person.page.getByRole('button', { name: 'Join now' })).toBeVisible();
}

async function isWatching(person: Person): Promise<void> {
  await expect(person.page.getByRole('button', { name: 'Ask to speak' })).toBeVisible();
}

test('a host admits who waits, and they see each other', async ({ people }) => {
  await meetWhere(people, 'approval');
  const ana = await people.joins('ana');
  const ben = await people.comes('ben', { room: ROOM });
  await knocks(ben);
  await waits(ben);
  await expect(requestTo(ana)).toContainText('ben waits to come in');
  await expect(ana.tileOf(ben)).toHaveCount(0);
  await expect((await list(ana)).getByLabel('Who can come in')).toHaveValue('approval');
  await ana.page.keyboard.press('p');
  await requestTo(ana).getByRole('button', { name: 'Admit' }).click();
  await ben.isConnected();
  await ben.sees(ana);
  await ana.sees(ben);
  await ana.hears(ben);
  await expect(requestTo(ana)).toHaveCount(0);
});

test('who is denied is told so, and may ask again', async ({ people }) => {
  await meetWhere(people, 'approval');
  const ana = await people.joins('ana');
  const ben = await people.comes('ben', { room: ROOM });
  await knocks(ben);
  const waiting = (await list(ana)).getByRole('list', { name: 'Waiting to come in' });
  await waiting.getByRole('listitem', { name: 'ben' }).getByRole('button', { name: 'Deny' }).click();
  await expect(ben.page.getByRole('heading', { name: 'You were not let in' })).toBeVisible();
  await expect(waiting).toHaveCount(0);
  await ben.page.getByRole('button', { name: 'Ask again' }).click();
  await waits(ben);
  await waiting.getByRole('listitem', { name: 'ben' }).getByRole('button', { name: 'Admit' }).click();
  await ben.sees(ana);
});

test('who leaves or reloads while waiting is asked about once at most', async ({ people }) => {
  await meetWhere(people, 'approval');
  const ana = await people.joins('ana');
  const ben = await people.comes('ben', { room: ROOM });
  await knocks(ben);
  await waits(ben);
  await ben.reloads();
  await waits(ben);
  await expect(requestTo(ana)).toContainText('ben waits to come in');
  await ben.leaves();
  await expect(requestTo(ana)).toHaveCount(0);
});

test('who waits when the server is lost is in the meeting when it is back', async ({ people }) => {
  const server = await meetWhere(people, 'approval');
  const ana = await people.joins('ana');
  const ben = await people.comes('ben', { room: ROOM });
  await knocks(ben);
  await waits(ben);
  await server.kill();
  await expect(ben.page.getByText('The connection was lost.')).toBeVisible();
  await ana.closesTheWindow();
  await server.restart();
  await ben.isConnected();
  await expect((await list(ben)).getByRole('listitem', { name: 'ben (you)' })).toContainText('Host');
});

test('a host locks the room, and who comes then is told', async ({ people }) => {
  await meetWhere(people, 'open');
  const ana = await people.joins('ana');
  await (await list(ana)).getByLabel('Who can come in').selectOption('Nobody: the room is locked');
  await expect(ana.page.getByRole('log')).toContainText('The room is locked now');
  const ben = await people.comes('ben', { room: ROOM });
  await knocks(ben);
  await isToldWhyNot(ben, 'This room is locked');
  await (await list(ana)).getByLabel('Who can come in').selectOption('Anyone with the link');
  await expect(ana.page.getByRole('log')).toContainText('Anyone with the link can join now');
  await knocks(ben);
  await ben.sees(ana);
});

test('without an invitation, or with a bad one, nobody comes in', async ({ people }) => {
  await meetWhere(people, 'invite-only');
  const bad = {
    none: '',
    signedByAnother: sign({ roomId: ROOM }, randomBytes(32).toString('hex')),
    ofAnotherRoom: sign({ roomId: 'elsewhere' }),
    runOut: sign({ roomId: ROOM, iat: 1_000, exp: 2_000 }),
  };
  for (const [name, token] of Object.entries(bad)) {
    const person = await people.comes(name, { room: ROOM, ...(token && { options: { token } }) });
    await knocks(person);
    await isToldWhyNot(person, token ? 'Your invitation does not open this room' : 'only for people with an invitation');
  }
});

test('an invitation opens the room at every address that carries it', async ({ people }) => {
  await meetWhere(people, 'invite-only');
  const ana = await people.joins('ana', { options: { token: sign({ roomId: ROOM }) } });
  const ben = await people.comes('ben');
  await ben.page.goto(new URL(`/room/${ROOM}?width=640&inviteToken=${sign({ roomId: ROOM })}`, ben.page.url()).href);
  await knocks(ben);
  await ben.sees(ana);
  await ben.reloads();
  await ben.isConnected();
  await ben.sees(ana);
});

test('a room made with an invitation is joined by its link', async ({ people }) => {
  await meetWhere(people, 'open');
  const ana = await people.comes('ana');
  await ana.page.getByLabel('Who can come in').selectOption('Invited people only');
  await ana.page.getByRole('button', { name: 'New meeting' }).click();
  await ana.joins();
  await ana.page.evaluate(() => {
    navigator.clipboard.writeText = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
  });
  await ana.page.getByRole('button', { name: 'Copy link' }).first().click();
  const link = await ana.page.getByLabel('Copy this link').inputValue();

  const ben = await people.comes('ben');
  await ben.page.getByLabel('Room name or link').fill(link);
  await ben.page.getByRole('button', { name: 'Join' }).click();
  await knocks(ben);
  await ben.sees(ana);
  await ana.sees(ben);

  const uninvited = new URL(link);
  uninvited.searchParams.delete('token');
  const carla = await people.comes('carla');
  await carla.page.goto(uninvited.href);
  await knocks(carla);
  await isToldWhyNot(carla, 'only for people with an invitation');

  await ana.reloads();
  await ana.isConnected();
  await expect((await list(ana)).getByRole('listitem', { name: 'ana (you)' })).toContainText('Host');
});

test('where rooms are made by people with a token, others are told, and the token helps', async ({ people }) => {
  await people.meetAt({ JWT_SECRET: SECRET, WATERSMEET_ROOM_CREATION: 'token' });
  const ana = await people.comes('ana');
  await ana.page.getByLabel('Who can come in').selectOption('People whom I let in');
  await ana.page.getByRole('button', { name: 'New meeting' }).click();
  await expect(ana.page.getByRole('alert')).toContainText('does not let everybody make such rooms');

  const token = sign({ userId: 'ben', email: 'ben@meet.example' });
  const ben = await people.comes('ben', { options: { token } });
  await ben.page.getByLabel('Who can come in').selectOption('People whom I let in');
  await ben.page.getByRole('button', { name: 'New meeting' }).click();
  await ben.joins();
  await expect((await list(ben)).getByLabel('Who can come in')).toHaveValue('approval');
});

test('a viewer watches, asks to speak, and is seen and heard when allowed', async ({ people }) => {
  await meetWhere(people, 'open');
  const ana = await people.joins('ana');
  const token = sign({ room: ROOM, canPublish: false, canSubscribe: true });
  const ben = await people.joins('ben', { options: { token } });
  await isWatching(ben);
  await ben.sees(ana);
  await ana.seesNoPictureOf(ben);
  await ben.page.keyboard.press('m');
  await expect(ben.page.getByRole('log')).toContainText('You are watching');
  await ben.page.getByRole('button', { name: 'Ask to speak' }).click();
  await expect(requestTo(ana)).toContainText('ben asks to speak');
  await requestTo(ana).getByRole('button', { name: 'Allow' }).click();
  await ana.sees(ben);
  await ana.hears(ben);
  await expect(ben.page.getByRole('button', { name: 'Mute microphone' })).toBeVisible();
});

test('a host makes a speaker a viewer and a speaker again', async ({ people }) => {
  await meetWhere(people, 'open');
  const ana = await people.joins('ana');
  const ben = await people.joins('ben');
  await ana.sees(ben);
  await (await optionsFor(ana, ben)).getByRole('button', { name: 'Make viewer' }).click();
  await isWatching(ben);
  await ana.seesNoPictureOf(ben);
  await expect((await list(ana)).getByRole('listitem', { name: 'ben' })).toContainText('Viewer');
  await (await optionsFor(ana, ben)).getByRole('button', { name: 'Make speaker' }).click();
  await ana.sees(ben);
  await ana.hears(ben);
});

test('who is muted by a host is told, and may unmute', async ({ people }) => {
  await meetWhere(people, 'open');
  const ana = await people.joins('ana');
  const ben = await people.joins('ben');
  await ana.hears(ben);
  await (await optionsFor(ana, ben)).getByRole('button', { name: 'Mute' }).click();
  await expect(ben.page.getByRole('log')).toContainText('A host muted you.');
  await expect(ben.page.getByRole('button', { name: 'Unmute microphone' })).toBeVisible();
  await ana.hearsNothingFrom(ben);
  await ana.sees(ben);
  await ben.unmutes();
  await ana.hears(ben);
});

test('who is removed by a host is told, and gone', async ({ people }) => {
  await meetWhere(people, 'open');
  const ana = await people.joins('ana');
  const ben = await people.joins('ben');
  await ana.sees(ben);
  await (await optionsFor(ana, ben)).getByRole('button', { name: 'Remove' }).click();
  const question = ana.page.getByRole('dialog', { name: 'Remove ben?' });
  await question.getByRole('button', { name: 'Cancel' }).click();
  await expect(ana.tileOf(ben)).toBeVisible();
  await (await optionsFor(ana, ben)).getByRole('button', { name: 'Remove' }).click();
  await question.getByRole('button', { name: 'Remove' }).click();
  await ana.losesSightOf(ben, 2_000);
  await expect(ben.page.getByRole('heading', { name: 'A host removed you' })).toBeVisible();
  await ben.reloads();
  await expect(ben.page.getByRole('button', { name: 'Join now' })).toBeVisible();
});

test('when the host leaves, the next is told and finds who waits', async ({ people }) => {
  await meetWhere(people, 'approval');
  const ana = await people.joins('ana');
  const ben = await people.comes('ben', { room: ROOM });
  await knocks(ben);
  await requestTo(ana).getByRole('button', { name: 'Admit' }).click();
  await ben.isConnected();
  const carla = await people.comes('carla', { room: ROOM });
  await knocks(carla);
  await waits(carla);
  await ana.leaves();
  await expect(requestTo(ben)).toContainText('carla waits to come in');
  await requestTo(ben).getByRole('button', { name: 'Admit' }).click();
  await carla.sees(ben);
});
