/** Chat: order, gaps, unread messages and messages that are not delivered, with fake signalling. */
import { beforeEach, describe, expect, test } from 'vitest';
import { Chat, isTooLong, type ChatMessage } from './chat';
import type { ChatMessage as ReceivedMessage } from './protocol';
import { ConnectionLost, Refusal } from './signalling';

let sent: Record<string, unknown>[];
let failure: Error | null;
let announced: ChatMessage[];
let lastRead: number;
let chat: Chat;

beforeEach(() => {
  [sent, failure, announced, lastRead] = [[], null, [], 0];
  chat = newChat();
});

function newChat(): Chat {
  const request = async (_type: string, payload: object): Promise<never> => {
    sent.push(payload as Record<string, unknown>);
    if (failure) throw failure;
    return { messageId: 100 + sent.length, sentAt: 5 } as never;
  };
  return new Chat({
    signalling: { request, reportProblem: () => undefined },
    announce: (message) => announced.push(message),
    loadLastRead: () => lastRead,
    saveLastRead: (id) => (lastRead = id),
  });
}

function message(messageId: number, more: Partial<ReceivedMessage> = {}): ReceivedMessage {
  return { messageId, sentAt: messageId, peerId: 'ben', displayName: 'Ben', text: `text ${messageId}`, ...more };
}

function applyHistory(...messages: ReceivedMessage[]): void {
  chat.applyConversation({ messages, chatPolicy: 'everybody', hands: [], polls: [] });
}

const ids = () => chat.messages.value.map(({ id }) => id);
const settle = () => new Promise((resolve) => setTimeout(resolve));

test('messages of a gap come once and in the order of the server', () => {
  chat.handleMessage(message(1));
  chat.handleMessage(message(4));
  applyHistory(message(2), message(3), message(4));
  chat.handleMessage(message(3));
  expect(ids()).toEqual([1, 2, 3, 4]);
  expect(chat.lastId).toBe(4);
});

test('the page keeps the latest thousand messages', () => {
  applyHistory(...Array.from({ length: 1_200 }, (_, index) => message(index + 1)));
  expect(chat.messages.value).toHaveLength(1_000);
  expect(ids()[0]).toBe(201);
});

describe('unread messages', () => {
  test('are those of others since the chat was open, also after a reload', () => {
    applyHistory(message(1), message(2, { own: true }), message(3));
    expect(chat.unreadCount.value).toBe(2);
    chat.open();
    expect(chat.unreadCount.value).toBe(0);
    chat.handleMessage(message(4));
    expect(chat.unreadCount.value).toBe(0);
    chat.close();
    chat.handleMessage(message(5));
    expect(chat.unreadCount.value).toBe(1);
    chat = newChat();
    applyHistory(message(4), message(5));
    expect(chat.unreadCount.value).toBe(1);
  });

  test('are announced one by one, and those of the history are not', () => {
    applyHistory(message(1));
    chat.handleMessage(message(2));
    chat.handleMessage(message(2));
    chat.open();
    chat.handleMessage(message(3));
    expect(announced.map(({ id }) => id)).toEqual([2]);
  });
});

describe('a message of ours', () => {
  test('is shown at once, and in its place when the server has it', async () => {
    chat.handleMessage(message(90));
    chat.send('hello', { id: 'ben', name: 'Ben' });
    expect(chat.unsent.value).toMatchObject([{ text: 'hello', failure: null }]);
    await settle();
    expect(sent).toMatchObject([{ text: 'hello', to: 'ben' }]);
    expect(chat.unsent.value).toEqual([]);
    expect(chat.messages.value.at(-1)).toMatchObject({ id: 101, isOwn: true, text: 'hello', to: { name: 'Ben' } });
  });

  test.each([
    ['a lost connection', new ConnectionLost('gone')],
    ['a refusal before we are in the room again', new Refusal('Not in a room', 'not-in-room')],
  ])('is sent again with the same key after %s', async (_what, error) => {
    failure = error;
    chat.send('hello', null);
    await settle();
    expect(chat.unsent.value).toMatchObject([{ failure: null }]);
    failure = null;
    applyHistory();
    await settle();
    expect(sent).toHaveLength(2);
    expect(sent[1]).toEqual(sent[0]);
    expect(ids()).toEqual([102]);
  });

  test('is not sent again when the server has it already', async () => {
    failure = new ConnectionLost('gone');
    chat.send('hello', null);
    await settle();
    applyHistory(message(7, { own: true, key: String(sent[0]?.key) }));
    await settle();
    expect(sent).toHaveLength(1);
    expect(chat.unsent.value).toEqual([]);
    expect(ids()).toEqual([7]);
  });

  test('that is refused says why, and can be tried again or given up', async () => {
    failure = new Refusal('Too many messages', 'rate-limited');
    chat.send('one', null);
    chat.send('two', null);
    await settle();
    expect(chat.unsent.value.map((it) => it.failure?.code)).toEqual(['rate-limited', 'rate-limited']);
    failure = null;
    const [one, two] = chat.unsent.value;
    chat.retry(one?.key ?? '');
    chat.discard(two?.key ?? '');
    await settle();
    expect(chat.unsent.value).toEqual([]);
    expect(chat.messages.value.map(({ text }) => text)).toEqual(['one']);
  });
});

test('the length of a message is counted in bytes', () => {
  expect(isTooLong('👍'.repeat(3_072))).toBe(false);
  expect(isTooLong('👍'.repeat(3_073))).toBe(true);
});
