/** Raised hands, reactions and polls of a room, and reading them after a join, with a fake server. */
import { expect, test, vi } from 'vitest';
import type { Poll } from './protocol';
import { RoomFixture, settle } from './room.fake';
import { Refusal } from './signalling';

const call = new RoomFixture();
const conversation = () => call.room.conversation;
const notified = () => call.room.notifications.value.map(({ content }) => content.code);

const POLL: Poll = {
  pollId: 7,
  sentAt: 1,
  peerId: 'ben',
  displayName: 'Ben',
  question: 'Tea?',
  options: ['Yes', 'No'],
  votes: [0, 0],
  closed: false,
};

test('hands are in the order of their numbers, whenever the notices come', async () => {
  await call.join();
  call.server.notify('handRaised', { peerId: 'ben', displayName: 'Ben', number: 4 });
  call.server.notify('handRaised', { peerId: 'peer_me', number: 5 });
  call.server.notify('handRaised', { peerId: 'carla', number: 2 });
  expect(conversation().hands.hands.value.map(({ owner }) => owner.id)).toEqual(['carla', 'ben', 'peer_me']);
  expect(conversation().hands.placeOf('ben')).toBe(2);
  expect(conversation().hands.isOwnRaised.value).toBe(true);
  expect(notified()).toEqual(['handRaised', 'handRaised']);
  call.server.notify('handLowered', { peerId: 'carla' });
  expect(conversation().hands.placeOf('ben')).toBe(1);
});

test('a hand of somebody else is lowered by its id, and the own one without', async () => {
  await call.join();
  call.server.notify('handRaised', { peerId: 'ben', number: 0 });
  call.server.notify('handRaised', { peerId: 'peer_me', number: 1 });
  const [ben, own] = conversation().hands.hands.value;
  if (ben) conversation().hands.lower(ben);
  expect(call.server.last('setHand')).toEqual({ raised: false, peerId: 'ben' });
  if (own) conversation().hands.lower(own);
  expect(call.server.last('setHand')).toEqual({ raised: false });
});

test('a reaction is shown for five seconds, and longer when another one follows', async () => {
  await call.join();
  call.server.notify('reaction', { peerId: 'ben', reaction: '👍' });
  await vi.advanceTimersByTimeAsync(4_000);
  call.server.notify('reaction', { peerId: 'ben', reaction: '🎉' });
  await vi.advanceTimersByTimeAsync(4_000);
  expect(conversation().reactions.shown.value.get('ben')?.emoji).toBe('🎉');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(conversation().reactions.shown.value.size).toBe(0);
});

test('a reaction that the server refuses is not shown', async () => {
  await call.join();
  conversation().react('👍');
  await settle();
  expect(conversation().reactions.shown.value.get('peer_me')?.emoji).toBe('👍');
  call.server.refusals.set('react', new Refusal('Too many messages', 'rate-limited'));
  conversation().react('👎');
  await settle();
  expect(conversation().reactions.shown.value.get('peer_me')?.emoji).toBe('👍');
  expect(notified()).toEqual(['actionFailed']);
});

test('a poll waits for an answer until it is given or the poll ends', async () => {
  await call.join();
  const { polls } = conversation();
  call.server.notify('pollOpened', POLL);
  call.server.notify('pollOpened', { ...POLL, pollId: 8, own: true });
  expect(polls.polls.value.map(({ id }) => id)).toEqual([8, 7]);
  expect(polls.unansweredCount.value).toBe(2);
  expect(notified()).toEqual(['pollOpened']);
  await polls.vote(7, 1);
  call.server.notify('pollChanged', { pollId: 7, votes: [0, 1], closed: false });
  call.server.notify('pollChanged', { pollId: 8, votes: [0, 0], closed: true });
  expect(polls.unansweredCount.value).toBe(0);
  expect(polls.polls.value[1]).toMatchObject({ ownVote: 1, votes: [0, 1] });
});

test('a vote that the server refuses is taken back', async () => {
  await call.join();
  const { polls } = conversation();
  call.server.notify('pollOpened', { ...POLL, ownVote: 0 });
  call.server.refusals.set('vote', new Refusal('Poll is closed', 'poll-closed'));
  await polls.vote(7, 1);
  expect(polls.polls.value[0]?.ownVote).toBe(0);
});

test('what was missed is asked for after each join, also when the server is busy at first', async () => {
  await call.join();
  expect(call.server.last('getConversation')).toEqual({});
  call.server.notify('chat', { messageId: 40, sentAt: 1, peerId: 'ben', text: 'hello' });
  expect(notified()).toEqual(['chatMessage']);
  call.server.refusals.set('getConversation', new Refusal('Too many messages', 'rate-limited'));
  await call.reconnect();
  call.server.notify('chat', { messageId: 50, sentAt: 1, peerId: 'ben', text: 'later' });
  call.server.refusals.clear();
  await vi.advanceTimersByTimeAsync(3_000);
  expect(call.server.last('getConversation')).toEqual({ after: 40 });
  expect(call.server.count('getConversation')).toBe(3);
});
