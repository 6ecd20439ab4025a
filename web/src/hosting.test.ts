/** Room: what hosts decide for everybody, interruptions, and a server that does not answer. */
import { describe, expect, test, vi } from 'vitest';
import { RoomFixture, ben, settle, shareScreen, tracks } from './room.fake';
import { Refusal } from './signalling';

const call = new RoomFixture();
const notified = () => call.room.notifications.value.map(({ content }) => content);

describe('what hosts decide', () => {
  test('is in the snapshot, and forgotten with the next one', async () => {
    await call.join({ ...ben, spotlight: 'ben', sharing: 'hosts' });
    expect([call.room.hosting.spotlight.value, call.room.hosting.sharing.value]).toEqual(['ben', 'hosts']);
    call.server.joined = { roomId: 'room', peers: [], existingProducers: [] };
    await call.reconnect();
    expect([call.room.hosting.spotlight.value, call.room.hosting.sharing.value]).toEqual([null, 'everybody']);
  });

  test('is told to who is shown large, when it begins and when it ends', async () => {
    await call.join(ben);
    call.server.notify('spotlightChanged', { peerId: 'ben' });
    call.server.notify('spotlightChanged', {});
    expect(notified()).toEqual([]);
    call.server.notify('spotlightChanged', { peerId: 'peer_me' });
    call.server.notify('spotlightChanged', { peerId: 'ben' });
    expect(notified()).toEqual([{ code: 'spotlit' }, { code: 'spotlightEnded' }]);
    expect(call.room.hosting.spotlight.value).toBe('ben');
  });

  test('is told when it concerns shared screens', async () => {
    await call.join(ben);
    call.server.notify('sharingChanged', { sharing: 'hosts' });
    call.server.notify('sharingStopped', {});
    expect(notified()).toEqual([{ code: 'sharingChanged', sharing: 'hosts' }, { code: 'sharingStopped' }]);
  });

  test('asks to unmute in the name of the host, where that is known', async () => {
    await call.join(ben);
    call.server.notify('unmuteRequested', { peerId: 'ben' });
    expect(call.room.hosting.unmuteRequest.value).toEqual({ host: { id: 'ben', name: 'Ben' } });
    call.server.notify('unmuteRequested', {});
    expect(call.room.hosting.unmuteRequest.value).toEqual({ host: null });
    call.room.leave();
    expect(call.room.hosting.unmuteRequest.value).toBeNull();
  });

  test('ends the sharing of a screen that the server refuses', async () => {
    await call.join(ben);
    call.server.refusals.set('produce', new Refusal('Not allowed', 'forbidden'));
    shareScreen('slides');
    await settle();
    expect(tracks.screens.value).toEqual([]);
    expect(notified()).toEqual([{ code: 'notSent', source: 'screen', reason: { code: 'forbidden', message: 'Not allowed' } }]);
  });
});

describe('a host', () => {
  test('is told that a request was carried out, or why not', async () => {
    await call.join({ ...ben, role: 'host' });
    const { moderation } = call.room;
    moderation.muteAll();
    moderation.askToUnmute({ id: 'ben', name: 'Ben' });
    moderation.spotlight('ben');
    await settle();
    expect(notified()).toEqual([{ code: 'mutedAll' }, { code: 'unmuteAsked', who: { id: 'ben', name: 'Ben' } }]);
    call.server.refusals.set('moderate', new Refusal('Not allowed', 'forbidden'));
    moderation.muteAll();
    await settle();
    expect(notified().at(-1)).toEqual({ code: 'actionFailed', reason: { code: 'forbidden', message: 'Not allowed' } });
  });

  test('sends what the server expects', async () => {
    await call.join({ ...ben, role: 'host' });
    const { moderation } = call.room;
    moderation.stopSharing('ben');
    moderation.appointHost('ben');
    moderation.spotlight('ben');
    moderation.spotlight(null);
    moderation.setSharing('hosts');
    moderation.end();
    expect(call.server.requests.filter(({ type }) => type === 'moderate').map(({ payload }) => payload)).toEqual([
      { action: 'stopSharing', peerId: 'ben' },
      { action: 'appointHost', peerId: 'ben' },
      { action: 'spotlight', peerId: 'ben' },
      { action: 'spotlight' },
      { action: 'setSharing', sharing: 'hosts' },
      { action: 'end' },
    ]);
  });
});

test('a participant is interrupted as the server says, and as the snapshot says', async () => {
  await call.join(ben);
  const interrupted = () => call.room.participants.value.find(({ id }) => id === 'ben')?.interrupted.value;
  expect(interrupted()).toBe(false);
  call.server.notify('interruptionChanged', { peerId: 'ben', interrupted: true });
  call.server.notify('interruptionChanged', { peerId: 'nobody', interrupted: true });
  expect(interrupted()).toBe(true);
  const summary = { peerId: 'ben', audio: false, video: false, role: 'speaker' as const };
  call.server.joined = { roomId: 'room', ...ben, participants: [summary] };
  await call.reconnect();
  expect(interrupted()).toBe(false);
});

describe('after a sleep', () => {
  test('a server that is gone is replaced at once, and the page says why until it is back', async () => {
    await call.join(ben);
    call.server.refusals.set('ping', new Error('no answer'));
    call.server.wake();
    await settle();
    call.server.setSilent(true);
    expect([call.room.wasAsleep.value, call.server.retries]).toEqual([true, 1]);
    call.server.refusals.clear();
    call.server.setSilent(false);
    await call.reconnect();
    expect([call.room.wasAsleep.value, call.room.status.value]).toEqual([false, 'live']);
  });

  test('a server that answers is no news', async () => {
    await call.join(ben);
    call.server.wake();
    await vi.advanceTimersByTimeAsync(100);
    expect([call.room.wasAsleep.value, call.server.retries]).toEqual([false, 0]);
  });
});

test('a silent server is shown and left alone while nobody asks', async () => {
  await call.join(ben);
  call.server.setSilent(true);
  expect([call.room.serverSilent.value, call.server.retries]).toEqual([true, 0]);
  call.server.setSilent(false);
  expect(call.room.serverSilent.value).toBe(false);
});
