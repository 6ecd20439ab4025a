/** Breakout rooms: invitations, moving, and the return. */
import { describe, expect, test, vi } from 'vitest';
import { CLOSE_AFTER_S, GO_AFTER_S } from './breakouts';
import { FakeMedia } from './media.fake';
import { RoomFixture, ben, settle, turnMicrophoneOn } from './room.fake';
import { Refusal } from './signalling';

const call = new RoomFixture();
const rooms = [
  { roomId: 'red', name: 'Red' },
  { roomId: 'blue', name: 'Blue' },
];
const inRed = { roomId: 'red', title: 'Red', peers: ['eve'], existingProducers: [] };
const goingInS = () => call.room.breakouts.goingInS.value;

/** Lets the server answer a move with this room. */
function answerMovesWith(joined: typeof inRed): void {
  call.server.moved = joined;
}

describe('an invitation', () => {
  test('leads to the breakout room after a countdown, with new media and its own chat', async () => {
    turnMicrophoneOn();
    await call.join(ben);
    call.server.notify('chat', { messageId: 1, sentAt: 1, peerId: 'ben', text: 'in the main room' });
    answerMovesWith(inRed);
    call.server.notify('breakouts', { rooms, assigned: 'red' });
    expect(goingInS()).toBe(GO_AFTER_S);
    await vi.advanceTimersByTimeAsync((GO_AFTER_S - 1) * 1_000);
    expect([goingInS(), call.server.count('enterBreakout')]).toEqual([1, 0]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(call.server.last('enterBreakout')).toEqual({ roomId: 'red' });
    await settle();
    expect(call.room.status.value).toBe('live');
    expect(call.room.title.value).toBe('Red');
    expect(call.room.participants.value.map(({ id }) => id)).toEqual(['eve']);
    expect(call.room.conversation.chat.messages.value).toEqual([]);
    expect(FakeMedia.all.map(({ closed }) => closed)).toEqual([true, false]);
    expect([call.server.count('joinRoom'), call.server.count('produce')]).toEqual([1, 2]);
    expect(call.room.notifications.value.filter(({ content }) => content.code === 'left')).toEqual([]);
  });

  test('can be declined, and accepted later; another one counts anew', async () => {
    await call.join();
    call.server.notify('breakouts', { rooms, assigned: 'red' });
    call.room.breakouts.stay();
    // The same invitation again, because something else has changed.
    call.server.notify('breakouts', { rooms, assigned: 'red' });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(call.server.count('enterBreakout')).toBe(0);
    expect(call.room.breakouts.assignedName.value).toBe('Red');
    call.server.notify('breakouts', { rooms, assigned: 'blue' });
    expect(goingInS()).toBe(GO_AFTER_S);
    answerMovesWith(inRed);
    call.room.breakouts.enterAssigned();
    call.room.breakouts.enterAssigned();
    await settle();
    expect(call.server.count('enterBreakout')).toBe(1);
  });
});

test('everybody is moved back when the rooms close, and is told of it', async () => {
  await call.join();
  call.server.notify('breakouts', { rooms, current: 'red', assigned: 'red' });
  call.server.notify('breakouts', { rooms, current: 'red', assigned: 'red', closesInS: 10 });
  await vi.advanceTimersByTimeAsync(3_000);
  expect(call.room.breakouts.closingInS.value).toBe(7);
  call.server.notify('moved', { roomId: 'room', peers: ['ben'], existingProducers: [] });
  call.server.notify('breakoutsClosed', {});
  await settle();
  expect(call.room.breakouts.state.value).toBeNull();
  expect([call.room.status.value, call.room.title.value]).toEqual(['live', '']);
  expect(call.room.participants.value.map(({ id }) => id)).toEqual(['ben']);
  expect(call.room.notifications.value.at(-1)?.content).toEqual({ code: 'breakoutsClosed' });
});

test('a page in a breakout room joins that room again after its worker is lost, and the main room in a new session', async () => {
  await call.join();
  answerMovesWith(inRed);
  call.server.notify('breakouts', { rooms, assigned: 'red' });
  call.room.breakouts.enterAssigned();
  await settle();
  call.server.notify('workerLost', {});
  await settle();
  expect(call.server.last('joinRoom')).toMatchObject({ roomId: 'red' });
  await call.reconnect();
  expect(call.server.last('joinRoom')).toMatchObject({ roomId: 'room' });
  expect(call.room.breakouts.state.value).toBeNull();
});

test('hosts see where people are, and manage the rooms', async () => {
  await call.join({ role: 'host' });
  const { breakouts } = call.room;
  expect(await breakouts.open([{ name: 'Red', peerIds: ['ben'] }, { name: 'Blue', peerIds: [] }])).toBe(true);
  call.server.notify('breakouts', { rooms, people: [] });
  call.server.notify('breakoutMoved', { peerId: 'ben', displayName: 'Ben', roomId: 'red' });
  expect(breakouts.people.value).toEqual([{ id: 'ben', name: 'Ben', roomId: 'red' }]);
  call.server.notify('breakoutMoved', { peerId: 'ben', displayName: 'Ben' });
  expect(breakouts.people.value).toEqual([]);
  breakouts.assign('ben', 'blue');
  breakouts.close();
  await settle();
  expect(call.server.last('moderate')).toEqual({ action: 'closeBreakouts', seconds: CLOSE_AFTER_S });
  call.server.notify('breakouts', { rooms, people: [], closesInS: CLOSE_AFTER_S });
  breakouts.close();
  await settle();
  expect(call.server.last('moderate')).toEqual({ action: 'closeBreakouts', seconds: 0 });
  call.server.refusals.set('moderate', new Refusal('Ben cannot enter breakout rooms', 'no-breakout-rooms'));
  expect(await breakouts.open([])).toBe(false);
  expect(call.room.notifications.value.at(-1)?.content).toMatchObject({ code: 'actionFailed' });
});
