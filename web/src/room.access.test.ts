/** Room: tokens, waiting for a host, roles and moderation, with fake signalling and media. */
import { describe, expect, test, vi } from 'vitest';
import { FakeMedia } from './media.fake';
import type { Named } from './notifications';
import type { Waiting } from './protocol';
import { RoomFixture, ben, media, settle, tracks, turnCameraOn, turnMicrophoneOn } from './room.fake';
import { Refusal } from './signalling';

const call = new RoomFixture();
const lastNotification = () => call.room.notifications.value.at(-1)?.content;

describe('a token', () => {
  test('is sent with every attempt to join', async () => {
    call.create({ token: 'a.b.c' });
    await call.join();
    await call.reconnect();
    const sent = call.server.requests.filter(({ type }) => type === 'joinRoom').map(({ payload }) => payload.token);
    expect(sent).toEqual(['a.b.c', 'a.b.c']);
  });

  test.each(['invalid-token', 'room-locked', 'forbidden', 'room-not-found'])(
    'is not retried after the refusal %s',
    async (code) => {
      call.room.join();
      call.server.refusals.set('joinRoom', new Refusal('No', code));
      call.server.connect();
      await vi.advanceTimersByTimeAsync(60_000);
      expect(call.server.count('joinRoom')).toBe(1);
      expect(call.room.failure.value?.code).toBe(code);
    },
  );
});

describe('a room with the policy approval', () => {
  const waits: Waiting = { roomId: 'room', hostPresent: true };

  async function wait(): Promise<void> {
    call.server.joined = waits;
    call.room.join();
    call.server.connect();
    await settle();
  }

  test('tells whether a host is there, and what the meeting is called', async () => {
    call.server.joined = { ...waits, title: 'Weekly meeting', hostPresent: false };
    call.room.join();
    call.server.connect();
    await settle();
    expect([call.room.hostPresent.value, call.room.title.value]).toEqual([false, 'Weekly meeting']);
    call.server.notify('waiting', { ...waits, hostPresent: true });
    expect(call.room.hostPresent.value).toBe(true);
  });

  test('creates no transports while the participant waits', async () => {
    turnCameraOn();
    await wait();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(call.room.status.value).toBe('waiting');
    expect(media().transports.size).toBe(0);
    // Both were requested with `joinRoom`, and refused.
    expect(call.server.count('createTransport')).toBe(2);
  });

  test('closes a transport that was granted because a host admitted at that moment', async () => {
    call.server.joined = waits;
    call.room.join();
    call.server.admitAfterRefusals = 1;
    call.server.connect();
    await settle();
    expect(call.server.last('closeTransport')).toEqual({ transportId: 'transport recv' });
    call.server.notify('admitted', { ...waits, ...ben, role: 'speaker' });
    await settle();
    expect(call.room.status.value).toBe('live');
    expect([...media().transports.keys()]).toEqual(['send', 'recv']);
  });

  test('starts media with all participants when a host admits', async () => {
    turnCameraOn();
    await wait();
    call.server.notify('admitted', { ...waits, ...ben, role: 'speaker' });
    await settle();
    expect(call.room.status.value).toBe('live');
    expect(call.room.participants.value[0]?.camera.value?.track.value?.id).toBe('track of ben face');
    expect(call.server.count('produce')).toBe(1);
    expect(FakeMedia.all).toHaveLength(1);
  });

  test('starts consuming only when admitted as a viewer', async () => {
    turnCameraOn();
    await wait();
    call.server.notify('admitted', { ...waits, ...ben, role: 'viewer' });
    await settle();
    expect(call.server.count('consume')).toBe(2);
    expect(call.server.count('produce')).toBe(0);
  });

  test('keeps the participant waiting after a lost connection', async () => {
    await wait();
    call.server.disconnect();
    expect(call.room.status.value).toBe('waiting');
    expect(call.room.connected.value).toBe(false);
    for (let i = 0; i < 10; i += 1) call.server.disconnect();
    call.server.connect();
    await settle();
    expect(call.room.status.value).toBe('waiting');
    expect(call.server.count('joinRoom')).toBe(2);
    call.server.notify('admitted', { roomId: 'room', peers: [], existingProducers: [] });
    await settle();
    expect(call.room.status.value).toBe('live');
  });

  test('retries when creating transports failed after admission', async () => {
    await wait();
    call.server.refusals.set('createTransport', new Refusal('Worker lost', 'worker-lost'));
    call.server.notify('admitted', { ...waits, peers: [], existingProducers: [] });
    await settle();
    call.server.refusals.clear();
    call.server.joined = { ...waits, peers: [], existingProducers: [] };
    await vi.advanceTimersByTimeAsync(2_000);
    expect(call.room.status.value).toBe('live');
  });

  test('ends when a host denies', async () => {
    await wait();
    call.server.notify('removed', { reason: 'denied' });
    expect([call.room.status.value, call.room.removal.value]).toEqual(['removed', 'denied']);
    expect(call.server.closed).toBe(true);
    call.server.notify('admitted', { ...waits, peers: [], existingProducers: [] });
    await settle();
    expect(call.room.status.value).toBe('removed');
  });

  test('can be left while waiting', async () => {
    await wait();
    call.room.leave();
    expect(call.server.last('leaveRoom')).toEqual({});
    expect(call.room.status.value).toBe('left');
  });
});

test.each(['removed', 'replaced', 'room-closed'] as const)('being %s ends the call', async (reason) => {
  turnCameraOn();
  await call.join(ben);
  call.server.notify('removed', { reason });
  expect([call.room.status.value, call.room.removal.value]).toEqual(['removed', reason]);
  expect(media().closed).toBe(true);
  expect(call.server.closed).toBe(true);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(call.server.count('joinRoom')).toBe(1);
});

describe('a viewer', () => {
  test('produces nothing, whatever is switched on', async () => {
    turnCameraOn();
    await call.join({ ...ben, role: 'viewer' });
    turnMicrophoneOn();
    await settle();
    expect(call.server.count('produce')).toBe(0);
    expect(call.room.participants.value[0]?.camera.value?.track.value?.id).toBe('track of ben face');
  });

  test('who becomes a speaker produces what is switched on', async () => {
    turnCameraOn();
    await call.join({ role: 'viewer' });
    call.server.notify('roleChanged', { peerId: 'peer_me', role: 'speaker' });
    await settle();
    expect(media().producers.map(({ source }) => source)).toEqual(['camera']);
  });

  test('requests to speak once, and again after a timeout', async () => {
    await call.join({ role: 'viewer' });
    call.room.speakRequest.send();
    call.room.speakRequest.send();
    expect(call.server.count('requestToSpeak')).toBe(1);
    await vi.advanceTimersByTimeAsync(20_000);
    call.room.speakRequest.send();
    expect(call.server.count('requestToSpeak')).toBe(2);
    call.server.notify('roleChanged', { peerId: 'peer_me', role: 'speaker' });
    expect(call.room.speakRequest.pending.value).toBe(false);
  });

  test('who was a speaker closes its producers and creates new ones when promoted', async () => {
    turnCameraOn();
    await call.join();
    call.server.notify('producerClosed', { peerId: 'peer_me', producerId: 'mine 1' });
    call.server.notify('roleChanged', { peerId: 'peer_me', role: 'viewer' });
    await settle();
    expect(media().producers.map(({ closed }) => closed)).toEqual([true]);
    expect(call.server.count('produce')).toBe(1);
    call.server.notify('roleChanged', { peerId: 'peer_me', role: 'speaker' });
    await settle();
    expect(media().producers.map(({ closed }) => closed)).toEqual([true, false]);
  });

  test('who is demoted while producing gets no error message', async () => {
    await call.join();
    call.server.refusals.set('produce', new Refusal('Not allowed', 'forbidden'));
    turnCameraOn();
    call.server.notify('roleChanged', { peerId: 'peer_me', role: 'viewer' });
    await settle();
    expect(call.room.notifications.value.filter(({ tone }) => tone === 'bad')).toEqual([]);
  });
});

describe('being muted by a host', () => {
  test('switches the microphone off, and unmuting resumes it', async () => {
    turnMicrophoneOn();
    await call.join();
    call.server.notify('muted', { producerId: 'mine 1', kind: 'audio' });
    await settle();
    expect(tracks.microphoneOn.value).toBe(false);
    expect(media().producers[0]?.paused).toBe(true);
    expect(call.server.count('pauseProducer')).toBe(0);
    expect(lastNotification()).toEqual({ code: 'muted', device: 'microphone' });
    tracks.microphoneOn.value = true;
    await settle();
    expect(call.server.last('resumeProducer')).toEqual({ producerId: 'mine 1' });
    expect(media().producers[0]?.paused).toBe(false);
  });

  test('switches the camera off when that is what was muted', async () => {
    turnCameraOn();
    await call.join();
    call.server.notify('muted', { producerId: 'mine 1', kind: 'video' });
    expect(tracks.cameraOn.value).toBe(false);
    expect(lastNotification()).toEqual({ code: 'muted', device: 'camera' });
  });

  test('is ignored for a producer that is not sent any more', async () => {
    await call.join();
    call.server.notify('muted', { producerId: 'older', kind: 'audio' });
    expect(call.room.notifications.value).toEqual([]);
  });
});

describe('a host', () => {
  const names = (list: { value: Named[] }) => list.value.map(({ name }) => name);

  test('receives join requests even before the reply to joinRoom', async () => {
    call.room.join();
    call.server.joined = { roomId: 'room', peers: [], existingProducers: [], role: 'host' };
    call.server.connect();
    call.server.notify('joinRequested', { peerId: 'peer_ben1', displayName: 'Ben' });
    await settle();
    call.server.notify('joinRequested', { peerId: 'peer_cat2' });
    expect(names(call.room.moderation.joinRequests)).toEqual(['Ben', '']);
  });

  test('admits one and denies another', async () => {
    await call.join({ role: 'host' });
    call.server.notify('joinRequested', { peerId: 'ben' });
    call.server.notify('joinRequested', { peerId: 'cat' });
    const [first, second] = call.room.moderation.joinRequests.value;
    if (!first || !second) throw new Error('no join requests');
    call.room.moderation.admit(first);
    expect(call.server.last('moderate')).toEqual({ action: 'admit', peerId: 'ben' });
    call.room.moderation.deny(second);
    expect(call.server.last('moderate')).toEqual({ action: 'deny', peerId: 'cat' });
    expect(call.room.moderation.joinRequests.value).toEqual([]);
  });

  test('sees join requests disappear when another host settles them', async () => {
    await call.join({ role: 'host' });
    call.server.notify('joinRequested', { peerId: 'ben' });
    call.server.notify('joinSettled', { peerId: 'ben' });
    expect(call.room.moderation.joinRequests.value).toEqual([]);
  });

  test('keeps join requests after a lost worker and clears them after a lost connection', async () => {
    await call.join({ role: 'host' });
    call.server.notify('joinRequested', { peerId: 'ben' });
    call.server.notify('workerLost', {});
    await settle();
    expect(call.room.moderation.joinRequests.value).toHaveLength(1);
    await call.reconnect();
    expect(call.room.moderation.joinRequests.value).toEqual([]);
  });

  test('removes a request to speak from the list when granting it', async () => {
    await call.join({ ...ben, role: 'host' });
    call.server.notify('speakRequested', { peerId: 'ben', displayName: 'Ben' });
    call.server.notify('speakRequested', { peerId: 'ben', displayName: 'Ben' });
    expect(names(call.room.moderation.speakRequests)).toEqual(['Ben']);
    call.room.moderation.promote('ben');
    expect(call.server.last('moderate')).toEqual({ action: 'promote', peerId: 'ben' });
    expect(call.room.moderation.speakRequests.value).toEqual([]);
  });

  test.each([
    ['who leaves', 'peerLeft', { peerId: 'ben' }],
    ['promoted by another host', 'roleChanged', { peerId: 'ben', role: 'speaker' as const }],
  ] as const)('removes the request to speak of a participant %s', async (_, type, payload) => {
    await call.join({ ...ben, role: 'host' });
    call.server.notify('speakRequested', { peerId: 'ben' });
    call.server.notify(type, payload as never);
    expect(call.room.moderation.speakRequests.value).toEqual([]);
  });

  test('knows the roles of all participants, also of those who join later', async () => {
    await call.join({
      ...ben,
      role: 'host',
      participants: [{ peerId: 'ben', audio: false, video: true, role: 'viewer' }],
    });
    call.server.roles = { peer_me: 'host', ben: 'viewer', cat: 'viewer' };
    call.server.notify('newPeer', { peerId: 'cat' });
    await settle();
    expect(call.room.participants.value.map(({ role }) => role.value)).toEqual(['viewer', 'viewer']);
    call.server.notify('roleChanged', { peerId: 'cat', role: 'speaker' });
    expect(call.room.participants.value.map(({ role }) => role.value)).toEqual(['viewer', 'speaker']);
  });

  test('loses the join requests with the role', async () => {
    await call.join({ role: 'host' });
    call.server.notify('joinRequested', { peerId: 'ben' });
    call.server.notify('roleChanged', { peerId: 'peer_me', role: 'speaker' });
    expect(call.room.moderation.joinRequests.value).toEqual([]);
    expect(lastNotification()).toEqual({ code: 'roleChanged', role: 'retired' });
  });

  test('is told when an action fails, unless the participant has left', async () => {
    await call.join({ role: 'host' });
    call.server.refusals.set('moderate', new Refusal('Participant not found', 'participant-not-found'));
    call.room.moderation.remove('gone', false);
    await settle();
    expect(call.room.notifications.value).toEqual([]);
    call.server.refusals.set('moderate', new Refusal('Not allowed', 'forbidden'));
    call.room.moderation.setPolicy('locked');
    await settle();
    const reason = { code: 'forbidden', message: 'Not allowed' };
    expect(lastNotification()).toEqual({ code: 'actionFailed', reason });
  });

  test('sets the policy, and the change is shown as a notification', async () => {
    await call.join({ role: 'host' });
    expect(call.room.moderation.policy.value).toBe('open');
    call.room.moderation.setPolicy('locked');
    expect(call.server.last('moderate')).toEqual({ action: 'setPolicy', policy: 'locked' });
    call.server.notify('policyChanged', { policy: 'locked' });
    expect(call.room.moderation.policy.value).toBe('locked');
    expect(call.room.notifications.value.map(({ content }) => content)).toEqual([{ code: 'policyChanged', policy: 'locked' }]);
  });

  test('learns the policy while joining without a notification', async () => {
    call.room.join();
    call.server.joined = { roomId: 'room', peers: [], existingProducers: [], role: 'host' };
    call.server.connect();
    call.server.notify('policyChanged', { policy: 'approval' });
    await settle();
    expect(call.room.moderation.policy.value).toBe('approval');
    expect(call.room.notifications.value).toEqual([]);
  });
});
