/** The chat of the page, by its effect on the pages of the others. */
import { io } from 'socket.io-client';
import { NO_MEDIA, ROOM, expect, test } from './callFixture';
import { ChatPage, WITHOUT_DEVICES } from './chatPage';
import { InterruptibleLine } from './interruptibleLine';
import { signToken } from './jwt';
import { sleep } from './server';

const VIEWPORTS = [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
];

for (const viewport of VIEWPORTS) {
  test(`messages reach the others, and those who come later, at ${viewport.width} px`, NO_MEDIA, async ({ call }) => {
    const ana = new ChatPage(await call.join('ana', { ...WITHOUT_DEVICES, viewport }));
    const ben = new ChatPage(await call.join('ben', { ...WITHOUT_DEVICES, viewport }));
    await expect(ben.button).toHaveAccessibleName('Chat');
    await ana.open();
    await ana.send('Hello, see https://example.org/tea?a=1.');
    await expect(ben.page.getByText('ana writes: Hello, see')).toBeVisible();
    await expect(ben.button).toHaveAccessibleName('Chat, one unread message');
    await ana.send('and bring cake');
    await expect(ben.button).toHaveAccessibleName('Chat, 2 unread messages');
    await ben.open();
    await expect(ben.button).toHaveAccessibleName('Chat');
    await ben.expectTexts(['Hello, see https://example.org/tea?a=1.', 'and bring cake']);
    await expect(ben.messages.first()).toContainText('ana');
    await expect(ben.messages.first().getByRole('time')).toHaveText(/\d:\d\d/);
    const link = ben.messages.first().getByRole('link');
    await expect(link).toHaveAttribute('href', 'https://example.org/tea?a=1');
    await expect(link).toHaveAttribute('rel', /noopener/);
    await ben.send('first line');
    await ana.expectTexts(['Hello, see https://example.org/tea?a=1.', 'and bring cake', 'first line']);
    await expect(ana.button).toHaveAccessibleName('Chat');

    const carla = new ChatPage(await call.join('carla', { ...WITHOUT_DEVICES, viewport }));
    await expect(carla.button).toHaveAccessibleName('Chat, 3 unread messages');
    await carla.open();
    await carla.expectTexts(['Hello, see https://example.org/tea?a=1.', 'and bring cake', 'first line']);
    await carla.page.reload();
    await expect(carla.button).toHaveAccessibleName('Chat');
    const overflow = await carla.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(overflow).toBe(0);
  });
}

test('people with Firefox and Chromium write to each other', NO_MEDIA, async ({ call }) => {
  const ana = new ChatPage(await call.join('ana', { ...WITHOUT_DEVICES, browser: 'firefox' }));
  const ben = new ChatPage(await call.join('ben', WITHOUT_DEVICES));
  await ana.open();
  await ana.send('from Firefox');
  await ben.open();
  await ben.expectTexts(['from Firefox']);
  await ben.send('from Chromium');
  await ana.expectTexts(['from Firefox', 'from Chromium']);
});

test('messages of a gap of five seconds come after it, once and in order', NO_MEDIA, async ({ call }) => {
  const server = await call.startServer();
  const line = await InterruptibleLine.start(server.port);
  try {
    const ana = new ChatPage(await call.join('ana', WITHOUT_DEVICES));
    const ben = await call.join('ben', { ...WITHOUT_DEVICES, base: line.url });
    const benChat = new ChatPage(ben);
    await ana.open();
    await benChat.open();
    await ana.send('before');
    await benChat.expectTexts(['before']);
    line.cut();
    await expect(ben.page.getByRole('status', { name: 'Connection' })).toHaveText('Reconnecting…');
    await ana.send('in the gap 1');
    await benChat.send('typed in the gap');
    await ana.send('in the gap 2');
    await expect(benChat.messages.last()).toContainText('Not delivered yet');
    await sleep(5_000);
    line.mend();
    await ben.expectConnected();
    const all = ['before', 'in the gap 1', 'in the gap 2', 'typed in the gap'];
    await benChat.expectTexts(all);
    await ana.expectTexts(all);
    await ana.send('after');
    await benChat.expectTexts([...all, 'after']);
  } finally {
    line.stop();
  }
});

test('markup, turned text and ten kilobytes of emoji are text', NO_MEDIA, async ({ call }) => {
  const name = '<b>eve</b>\u202egnp';
  const eve = await call.open('eve', { ...WITHOUT_DEVICES, room: ROOM });
  await eve.page.getByLabel('Your name').fill(name);
  await eve.page.getByRole('button', { name: 'Join now' }).click();
  await eve.expectConnected();
  const ben = new ChatPage(await call.join('ben', WITHOUT_DEVICES));
  await ben.open();
  const eveChat = new ChatPage(eve);
  await eveChat.open();
  const emoji = '🧑‍💻'.repeat(930);
  expect(new TextEncoder().encode(emoji).length).toBeGreaterThan(10_000);
  const markup = '<img src=x onerror=alert(1)><script>alert(2)</script> &lt;';
  for (const text of [markup, 'abc\u202edef \u2066ghi', emoji]) await eveChat.send(text);
  await ben.expectTexts([markup, 'abcdef ghi', emoji]);
  await expect(ben.messages.first()).toContainText('<b>eve</b>gnp');
  await expect(ben.messages.locator('img, script, b')).toHaveCount(0);
  const overflow = await ben.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(overflow).toBe(0);
  await eveChat.field.fill('👍'.repeat(3_073));
  await expect(eveChat.panel.getByText('This message is too long')).toBeVisible();
  await eveChat.field.press('Enter');
  await expect(eveChat.messages).toHaveCount(3);
});

test('private messages reach their receiver alone', NO_MEDIA, async ({ call }) => {
  const ana = new ChatPage(await call.join('ana', WITHOUT_DEVICES));
  const ben = new ChatPage(await call.join('ben', WITHOUT_DEVICES));
  const carla = await call.join('carla', WITHOUT_DEVICES);
  const carlaChat = new ChatPage(carla);
  await ana.open();
  await ana.receiver.selectOption('ben');
  await ana.send('for ben alone');
  await expect(ben.page.getByText('ana writes to you only: for ben alone')).toBeVisible();
  await ana.receiver.selectOption('carla');
  await ana.send('for carla alone');
  await expect(ana.messages.first()).toContainText('only to ben');
  await carlaChat.open();
  await expect(carlaChat.messages.first()).toContainText('only to you');
  await carlaChat.expectTexts(['for carla alone']);
  await ben.open();
  await ben.expectTexts(['for ben alone']);
  // What was meant for one person must not go to all when that person leaves.
  await carla.leave();
  await ana.send('still for carla');
  await expect(ana.panel.getByText('carla cannot be written to now')).toBeVisible();
  await expect(ana.field).toHaveValue('still for carla');
  await ana.receiver.selectOption('Everybody');
  await ana.send('for all');
  await ben.expectTexts(['for ben alone', 'for all']);
});

test('a host lets only hosts write, and others still write to the host', NO_MEDIA, async ({ call }) => {
  const ana = new ChatPage(await call.join('ana', WITHOUT_DEVICES));
  const ben = new ChatPage(await call.join('ben', WITHOUT_DEVICES));
  await ana.open();
  await ben.open();
  await ana.panel.getByLabel('Who can write').selectOption('Hosts; others to hosts only');
  await expect(ben.panel.getByText('Only hosts write to everybody here. You can write to a host alone.')).toBeVisible();
  await ben.send('may I?');
  await expect(ben.messages).toHaveCount(0);
  await ben.receiver.selectOption('ana');
  await ben.field.press('Enter');
  await ana.expectTexts(['may I?']);
  await ana.panel.getByLabel('Who can write').selectOption('Everybody');
  await ben.receiver.selectOption('Everybody');
  await ben.send('thank you');
  await ana.expectTexts(['may I?', 'thank you']);
});

test('people with another client write to the page, and the page to them', NO_MEDIA, async ({ call }) => {
  const secret = 'a-secret-of-the-chat-test-with-enough-bytes';
  const server = await call.startServer({ JWT_SECRET: secret });
  const ana = new ChatPage(await call.join('ana', WITHOUT_DEVICES));
  const token = signToken({ userId: 'mira', email: 'mira@example.org' }, secret);
  const mira = io(server.url, { auth: { token }, forceNew: true });
  try {
    const received: unknown[] = [];
    mira.on('chat:message', (payload: { message: string }) => received.push(payload.message));
    mira.emit('join-room', { roomId: ROOM });
    await expect(ana.page.getByText('mira joined')).toBeVisible();
    mira.emit('chat:message', { roomId: ROOM, message: 'from mira' });
    await expect(ana.button).toHaveAccessibleName('Chat, one unread message');
    await ana.open();
    await ana.expectTexts(['from mira']);
    await ana.send('from ana');
    await expect.poll(() => received).toEqual(['from ana']);
    await ana.receiver.selectOption('mira');
    await ana.send('psst');
    await expect(ana.panel.getByRole('alert')).toHaveText('Not sent (their app cannot receive private messages).');
    await ana.panel.getByRole('button', { name: 'Discard' }).click();
    await ana.expectTexts(['from mira', 'from ana']);
  } finally {
    mira.close();
  }
});

test('the chat is used by keyboard, and new messages are announced', NO_MEDIA, async ({ call }) => {
  const ana = new ChatPage(await call.join('ana', WITHOUT_DEVICES));
  const ben = new ChatPage(await call.join('ben', WITHOUT_DEVICES));
  await ana.page.keyboard.press('c');
  await expect(ana.field).toBeFocused();
  await ana.page.keyboard.type('cvm');
  await ana.page.keyboard.press('Shift+Enter');
  await ana.page.keyboard.type('second line');
  await ana.page.keyboard.press('Enter');
  await expect(ana.field).toHaveValue('');
  await expect(ana.field).toBeFocused();
  await expect(ben.page.getByRole('log', { name: 'Messages', exact: true })).toContainText('ana writes: cvm second line');
  await ana.page.keyboard.press('Escape');
  await expect(ana.panel).toBeHidden();
  await ben.button.focus();
  await ben.page.keyboard.press('Enter');
  await expect(ben.field).toBeFocused();
  const log = ben.panel.getByRole('log', { name: 'Chat messages' });
  await expect(log).toHaveAttribute('aria-live', 'polite');
  await ben.page.keyboard.press('Escape');
  await expect(ben.panel).toBeHidden();
  await expect(ben.button).toBeFocused();
  await expect(ben.button).toHaveAttribute('aria-expanded', 'false');
});

test('from right to left, messages in both directions are in their places', NO_MEDIA, async ({ call }) => {
  const ana = new ChatPage(await call.join('ana', WITHOUT_DEVICES));
  const ben = await call.open('ليلى', { ...WITHOUT_DEVICES, room: ROOM, locale: 'ar', viewport: { width: 390, height: 844 } });
  await ben.page.getByLabel('اسمك').fill('ليلى');
  await ben.page.getByRole('button', { name: 'انضم الآن' }).click();
  await ben.page.getByRole('button', { name: 'الدردشة' }).click();
  const field = ben.page.getByLabel('اكتب رسالة');
  await field.fill('مرحبًا');
  await field.press('Enter');
  await ana.open();
  await ana.expectTexts(['مرحبًا']);
  await ana.send('hello');
  const texts = ben.page.locator('.chat-text');
  await expect(texts).toHaveText(['مرحبًا', 'hello']);
  await expect(texts.first()).toHaveCSS('direction', 'rtl');
  await expect(texts.last()).toHaveCSS('direction', 'ltr');
  // The own message is at the end of the line, which is on the left here.
  const left = async (index: number) => (await ben.page.locator('.chat-message').nth(index).boundingBox())?.x ?? NaN;
  expect(await left(0)).toBeLessThan(await left(1));
  const overflow = await ben.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(overflow).toBe(0);
});
