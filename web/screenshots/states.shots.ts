/** Each state of the page in pictures. Nothing is compared: people look at them. */
import { randomBytes } from 'node:crypto';
import { ROOM, expect, test, type Call, type CallParticipant } from '../tests/callFixture';
import { ChatPage } from '../tests/chatPage';
import { meetingRules, participantsPanel } from '../tests/hostPanel';
import { signToken } from '../tests/jwt';
import { drawCamera, drawScreen } from './drawnCamera';
import { expectLoaded, takePictures } from './pictures';

const NAMES = ['Ana Silva', 'Ben Okafor', 'Chiara Rossi', 'Dana Kim', 'Emil Lindqvist', 'Farah Nazari', 'Grace Mwangi', 'Hiro Tanaka', 'Ines Moreau'];
const SECRET = randomBytes(32).toString('hex');
/** Small pictures: nine encoders run on one machine. */
const SMALL = { width: '320' };
/** A machine that encodes and decodes for all is a slow line to the server, which would say so on the tiles. */
const WITHOUT_ADAPTATION = { WATERSMEET_BANDWIDTH_ADAPTATION: 'false' };
/** How long the pictures of all may take to come. */
const START_MS_MAX = 60_000;

/** Opens the preview of a room with the drawn camera of somebody. */
async function open(call: Call, person: number, options: Record<string, string> = {}): Promise<CallParticipant> {
  const participant = await call.open(NAMES[person] ?? '', { room: ROOM, options });
  await drawCamera(participant.page, person);
  await participant.reload();
  return participant;
}

async function join(call: Call, person: number, options: Record<string, string> = SMALL): Promise<CallParticipant> {
  const participant = await open(call, person, options);
  await participant.join();
  return participant;
}

/** Dismisses all messages, so that they lie in no picture of something else. */
async function dismissMessages({ page }: CallParticipant): Promise<void> {
  const dismiss = page.getByRole('log').getByRole('button', { name: 'Dismiss' });
  while ((await dismiss.count()) > 0) await dismiss.first().click({ timeout: 2_000 }).catch(() => undefined);
}

test('pages outside a call', async ({ call }) => {
  const server = await call.startServer({ JWT_SECRET: SECRET });
  const ana = await call.open('Ana Silva');
  await expect(ana.page.getByRole('button', { name: 'New meeting' })).toBeVisible();
  await takePictures(ana.page, 'landing');
  await ana.page.getByRole('button', { name: 'Join' }).click();
  await takePictures(ana.page, 'landing-nothing-typed');
  await ana.page.goto(`${server.url}/no-such-page`);
  await takePictures(ana.page, 'not-found');

  const ben = await open(call, 1);
  await expect(ben.page.getByLabel('Your camera')).toBeVisible();
  await ben.page.getByLabel('Your name').fill('Ben Okafor');
  await takePictures(ben.page, 'preview');

  const token = signToken({ roomId: ROOM, iat: 1_000, exp: 2_000 }, SECRET);
  const late = await open(call, 2, { token });
  await late.requestJoin();
  await expect(late.page.getByRole('alert')).toBeVisible();
  await takePictures(late.page, 'expired-link');
});

test('waiting for a host', async ({ call }) => {
  await call.startServer({ WATERSMEET_ROOM_POLICY: 'approval' });
  const ana = await join(call, 0);
  const ben = await open(call, 1);
  await ben.requestJoin();
  await expect(ben.page.getByRole('heading', { name: 'Waiting for the host' })).toBeVisible();
  await takePictures(ben.page, 'lobby-guest');
  await expect(ana.page.getByRole('region', { name: 'Request' })).toBeVisible();
  await takePictures(ana.page, 'lobby-host');
  await participantsPanel(ana);
  await takePictures(ana.page, 'lobby-host-list');
});

test('a call of one and of two', async ({ call }) => {
  const ana = await join(call, 0, {});
  await takePictures(ana.page, 'alone');
  await ana.page.getByRole('button', { name: 'Copy link' }).first().click();
  const ben = await join(call, 1);
  await expect(ana.tileOf(ben)).toBeVisible();
  await takePictures(ana.page, 'two-joined');
  await dismissMessages(ana);
  await takePictures(ana.page, 'two');
  await ana.page.keyboard.press('s');
  await expect(ana.page.getByRole('region', { name: 'Ben Okafor' }).getByRole('group', { name: 'Camera' })).toBeVisible();
  await takePictures(ana.page, 'statistics');
  await ana.page.keyboard.press('Escape');
  await ana.page.keyboard.press('?');
  await expect(ana.page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
  await takePictures(ana.page, 'shortcuts');
  await ana.page.keyboard.press('Escape');
  for (const [button, name] of [['Devices', 'dialog-devices'], ['Layout', 'menu-layout'], ['Hand and reactions', 'menu-reactions']] as const) {
    await ana.page.getByRole('button', { name: button, exact: true }).click();
    await takePictures(ana.page, name);
    await ana.page.keyboard.press('Escape');
  }
  const people = await participantsPanel(ana);
  await people.getByRole('button', { name: 'Options for Ben Okafor' }).click();
  await takePictures(ana.page, 'people-options');
  await people.getByRole('button', { name: 'Remove' }).click();
  await takePictures(ana.page, 'dialog-remove');
  await ana.page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  await people.getByRole('button', { name: 'End for everyone' }).click();
  await takePictures(ana.page, 'dialog-end');
  await ana.page.getByRole('dialog').getByRole('button', { name: 'End for everyone' }).click();
  await expect(ben.page.getByRole('heading', { name: 'The meeting has ended' })).toBeVisible();
  await takePictures(ben.page, 'ended');
});

test('a call of nine', async ({ call }) => {
  await call.startServer(WITHOUT_ADAPTATION);
  const people: CallParticipant[] = [];
  for (let person = 0; person < NAMES.length; person += 1) people.push(await join(call, person));
  const [ana, ben, chiara] = people;
  if (!ana || !ben || !chiara) throw new Error('nobody is in the call');
  await expect(ana.page.getByRole('figure')).toHaveCount(NAMES.length);
  await expectLoaded(ana.page, START_MS_MAX);
  await dismissMessages(ana);
  await takePictures(ana.page, 'nine');
  await participantsPanel(ana);
  await takePictures(ana.page, 'people');

  const [mine, bens] = [new ChatPage(ana), new ChatPage(ben)];
  await bens.open();
  await bens.send('Good morning! The plan is at https://harbour.example/plan');
  await mine.open();
  await mine.send('Thank you, Ben.');
  await chiara.page.keyboard.press('h');
  await bens.receiver.selectOption('Ana Silva');
  await bens.send('Can we speak after this?');
  await expect(mine.messages).toHaveCount(3);
  await takePictures(ana.page, 'chat');
  await mine.showPolls();
  await ana.page.getByRole('button', { name: 'New poll' }).click();
  await takePictures(ana.page, 'polls-new');
  await ana.page.getByLabel('Question').fill('When do we meet again?');
  await ana.page.getByLabel('Answer 1').fill('On Thursday');
  await ana.page.getByLabel('Answer 2').fill('Next week');
  await ana.page.getByRole('button', { name: 'Start poll' }).click();
  await ana.page.getByRole('radio', { name: /Thursday/ }).check();
  await takePictures(ana.page, 'polls');
  await mine.close();
});

test('a shared screen', async ({ call }) => {
  await call.startServer(WITHOUT_ADAPTATION);
  const ana = await join(call, 0);
  const ben = await join(call, 1);
  for (const person of [2, 3]) await join(call, person);
  await drawScreen(ben.page);
  await ben.page.getByRole('button', { name: 'Share screen' }).click();
  await expect(ana.page.getByRole('figure', { name: "Ben Okafor's screen" })).toBeVisible();
  await expectLoaded(ana.page, START_MS_MAX);
  await dismissMessages(ana);
  await takePictures(ana.page, 'screen-share');
  await takePictures(ben.page, 'screen-share-presenter');
});

test('trouble', async ({ call }) => {
  const server = await call.startServer();
  const ana = await join(call, 0);
  const ben = await join(call, 1);
  await expect(ana.tileOf(ben)).toBeVisible();
  await expect(ana.page.getByLabel("Ben Okafor's camera")).toBeVisible();
  await expectLoaded(ana.page, START_MS_MAX);
  await dismissMessages(ana);
  server.pause();
  await expect(ana.page.getByRole('alert')).toContainText('The server does not answer');
  await takePictures(ana.page, 'no-answer', 0);
  server.resume();
  await ana.expectConnected();
  await ana.turnCameraOff();
  await ana.page.evaluate(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotReadableError'));
  });
  await ana.turnCameraOn();
  await expect(ana.page.getByRole('main').getByText('Your camera cannot be opened')).toBeVisible();
  await takePictures(ana.page, 'device-failed');
  const people = await participantsPanel(ana);
  await (await meetingRules(ana)).getByLabel('Who can come in').selectOption('locked');
  await takePictures(ana.page, 'room-locked-host');
  const eva = await open(call, 4);
  await eva.requestJoin();
  await expect(eva.page.getByRole('alert')).toContainText('This room is locked');
  await takePictures(eva.page, 'room-locked');
  await people.getByRole('button', { name: 'Options for Ben Okafor' }).click();
  await people.getByRole('button', { name: 'Remove' }).click();
  await ana.page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await expect(ben.page.getByRole('heading', { name: 'A host removed you' })).toBeVisible();
  await takePictures(ben.page, 'removed');
  await ana.leave();
  await takePictures(ana.page, 'left');
});

test('breakout rooms', async ({ call }) => {
  const ana = await join(call, 0);
  const ben = await join(call, 1);
  const chiara = await join(call, 2);
  await expect(ana.tileOf(chiara)).toBeVisible();
  await dismissMessages(ana);
  await (await participantsPanel(ana)).getByRole('button', { name: 'Breakout rooms' }).click();
  const dialog = ana.page.getByRole('dialog', { name: 'Breakout rooms' });
  await dialog.getByLabel('Ben Okafor').selectOption('Room 1');
  await dialog.getByLabel('Chiara Rossi').selectOption('Room 1');
  await takePictures(ana.page, 'breakout-plan');
  await dialog.getByRole('button', { name: 'Open rooms' }).click();
  const line = ben.page.getByRole('region', { name: 'Breakout rooms' });
  await line.getByRole('button', { name: 'Stay here' }).click();
  await dismissMessages(ben);
  await takePictures(ben.page, 'breakout-invited');
  await line.getByRole('button', { name: 'Go now' }).click();
  await expect(line).toContainText('You are in Room 1.');
  await expect(ben.tileOf(chiara)).toBeVisible();
  await dismissMessages(ben);
  await takePictures(ben.page, 'breakout-room');
  await expect(dialog.getByRole('listitem', { name: 'Room 1' })).toContainText('Chiara Rossi');
  await takePictures(ana.page, 'breakout-open');
});
