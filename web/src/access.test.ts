/** Who may come in, who may speak, what a host decides: the meeting's side of it, with fakes behind it. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeMedia, fakeTrack } from './media.fake';
import type { RoomJoined, RoomLeft } from './protocol';
import type { Room } from './room';
import { ben, cameraOn, forgetTracks, makeRoom, media, tracks, type FakeLine } from './room.fake';
import { Refusal } from './socket';

let line: FakeLine;
let room: Room;

async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

async function join(joined: Partial<RoomJoined> = {}): Promise<void> {
  line.joined = { ...line.joined, ...joined };
  room.join();
  line.up();
  await settle();
}

beforeEach(() => {
  vi.useFakeTimers();
  FakeMedia.all = [];
  forgetTracks();
  ({ room, line } = makeRoom());
});

afterEach(() => {
  room.leave();
  vi.useRealTimers();
});

describe('a token', () => {
  test('is brought along, also by who comes back', async () => {
    ({ room, line } = makeRoom({ token: 'a.b.c' }));
    await join();
    line.down();
    line.up();
    await settle();
    const brought = line.asked.filter(({ type }) => type === 'joinRoom').map(({ payload }) => payload.token);
    expect(brought).toEqual(['a.b.c', 'a.b.c']);
  });

  test.each(['invalid-token', 'room-locked', 'forbidden', 'room-not-found'])(
    'that does not help (%s) is not tried again',
    async (code) => {
      room.join();
      line.refuse.set('joinRoom', new Refusal('No', code));
      line.up();
      await vi.advanceTimersByTimeAsync(60_000);
      expect(line.count('joinRoom')).toBe(1);
      expect(room.failure.value?.code).toBe(code);
    },
  );
});

describe('a room with a host at the door', () => {
  const waits: RoomLeft = { roomId: 'room' };

  async function wait(): Promise<void> {
    line.joined = waits;
    room.join();
    line.up();
    await settle();
  }

  test('keeps one waiting, with nothing sent or received', async () => {
    cameraOn();
    await wait();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(room.status.value).toBe('waiting');
    expect(line.asked.map(({ type }) => type)).toEqual(['getRouterRtpCapabilities', 'joinRoom']);
  });

  test('lets one in with everybody there', async () => {
    cameraOn();
    await wait();
    line.tell('admitted', { ...waits, ...ben, role: 'speaker' });
    await settle();
    expect(room.status.value).toBe('live');
    expect(room.people.value[0]?.video.value?.id).toBe('track of ben face');
    expect(line.count('produce')).toBe(1);
    expect(FakeMedia.all).toHaveLength(1);
  });

  test('may let one in to watch only', async () => {
    cameraOn();
    await wait();
    line.tell('admitted', { ...waits, ...ben, role: 'viewer' });
    await settle();
    expect(line.count('consume')).toBe(2);
    expect(line.count('produce')).toBe(0);
  });

  test('still knows one whose line was lost', async () => {
    await wait();
    line.down();
    expect(room.status.value).toBe('waiting');
    expect(room.lineUp.value).toBe(false);
    for (let i = 0; i < 10; i += 1) line.down();
    line.up();
    await settle();
    expect(room.status.value).toBe('waiting');
    expect(line.count('joinRoom')).toBe(2);
    line.tell('admitted', { roomId: 'room', peers: [], existingProducers: [] });
    await settle();
    expect(room.status.value).toBe('live');
  });

  test('finishes what failed on the way in', async () => {
    await wait();
    line.refuse.set('createTransport', new Refusal('Worker lost', 'worker-lost'));
    line.tell('admitted', { ...waits, peers: [], existingProducers: [] });
    await settle();
    line.refuse.clear();
    line.joined = { ...waits, peers: [], existingProducers: [] };
    await vi.advanceTimersByTimeAsync(2_000);
    expect(room.status.value).toBe('live');
  });

  test('may say no', async () => {
    await wait();
    line.tell('removed', { reason: 'denied' });
    expect([room.status.value, room.removal.value]).toEqual(['removed', 'denied']);
    expect(line.closed).toBe(true);
    line.tell('admitted', { ...waits, peers: [], existingProducers: [] });
    await settle();
    expect(room.status.value).toBe('removed');
  });

  test('lets one go who will not wait', async () => {
    await wait();
    room.leave();
    expect(line.last('leaveRoom')).toEqual({});
    expect(room.status.value).toBe('left');
  });
});

test.each(['removed', 'replaced', 'room-closed'] as const)('being %s ends the call', async (reason) => {
  cameraOn();
  await join(ben);
  line.tell('removed', { reason });
  expect([room.status.value, room.removal.value]).toEqual(['removed', reason]);
  expect(media().closed).toBe(true);
  expect(line.closed).toBe(true);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(line.count('joinRoom')).toBe(1);
});

describe('a viewer', () => {
  test('sends nothing, whatever is switched on', async () => {
    cameraOn();
    await join({ ...ben, role: 'viewer' });
    tracks.microphone.value = fakeTrack('mic');
    tracks.microphoneOn.value = true;
    await settle();
    expect(line.count('produce')).toBe(0);
    expect(room.people.value[0]?.video.value?.id).toBe('track of ben face');
  });

  test('who is made a speaker sends what is on', async () => {
    cameraOn();
    await join({ role: 'viewer' });
    line.tell('roleChanged', { peerId: 'peer_me', role: 'speaker' });
    await settle();
    expect(media().publications.map(({ source }) => source)).toEqual(['camera']);
  });

  test('asks to speak once, and again when nobody answered', async () => {
    await join({ role: 'viewer' });
    room.askToSpeak();
    room.askToSpeak();
    expect(line.count('requestToSpeak')).toBe(1);
    await vi.advanceTimersByTimeAsync(20_000);
    room.askToSpeak();
    expect(line.count('requestToSpeak')).toBe(2);
    line.tell('roleChanged', { peerId: 'peer_me', role: 'speaker' });
    expect(room.wishing.value).toBe(false);
  });

  test('who was a speaker stops sending, and sends anew when allowed again', async () => {
    cameraOn();
    await join();
    line.tell('producerClosed', { peerId: 'peer_me', producerId: 'mine 1' });
    line.tell('roleChanged', { peerId: 'peer_me', role: 'viewer' });
    await settle();
    expect(media().publications.map(({ closed }) => closed)).toEqual([true]);
    expect(line.count('produce')).toBe(1);
    line.tell('roleChanged', { peerId: 'peer_me', role: 'speaker' });
    await settle();
    expect(media().publications.map(({ closed }) => closed)).toEqual([true, false]);
  });

  test('made while the camera is on its way sends it no further and hears no complaint', async () => {
    await join();
    line.refuse.set('produce', new Refusal('Not allowed', 'forbidden'));
    cameraOn();
    line.tell('roleChanged', { peerId: 'peer_me', role: 'viewer' });
    await settle();
    expect(room.words.value.filter(({ tone }) => tone === 'bad')).toEqual([]);
  });
});

describe('being muted by a host', () => {
  test('switches the microphone off, and unmuting resumes it', async () => {
    tracks.microphone.value = fakeTrack('mic');
    tracks.microphoneOn.value = true;
    await join();
    line.tell('muted', { producerId: 'mine 1', kind: 'audio' });
    await settle();
    expect(tracks.microphoneOn.value).toBe(false);
    expect(media().publications[0]?.paused).toBe(true);
    expect(line.count('pauseProducer')).toBe(0);
    expect(room.words.value.at(-1)?.text).toBe('A host muted you.');
    tracks.microphoneOn.value = true;
    await settle();
    expect(line.last('resumeProducer')).toEqual({ producerId: 'mine 1' });
    expect(media().publications[0]?.paused).toBe(false);
  });

  test('may be about the camera', async () => {
    cameraOn();
    await join();
    line.tell('muted', { producerId: 'mine 1', kind: 'video' });
    expect(tracks.cameraOn.value).toBe(false);
    expect(room.words.value.at(-1)?.text).toBe('A host turned your camera off.');
  });

  test('of something no longer sent means nothing', async () => {
    await join();
    line.tell('muted', { producerId: 'older', kind: 'audio' });
    expect(room.words.value).toEqual([]);
  });
});

describe('a host', () => {
  const labels = (list: { value: { label: string }[] }) => list.value.map(({ label }) => label);

  test('is told who waits, even before the room itself', async () => {
    room.join();
    line.joined = { roomId: 'room', peers: [], existingProducers: [], role: 'host' };
    line.up();
    line.tell('joinRequested', { peerId: 'peer_ben1', displayName: 'Ben' });
    await settle();
    line.tell('joinRequested', { peerId: 'peer_cat2' });
    expect(labels(room.door.waiting)).toEqual(['Ben', 'Guest cat2']);
  });

  test('admits one and denies another', async () => {
    await join({ role: 'host' });
    line.tell('joinRequested', { peerId: 'ben' });
    line.tell('joinRequested', { peerId: 'cat' });
    const [first, second] = room.door.waiting.value;
    if (!first || !second) throw new Error('nobody waits');
    room.door.admit(first);
    expect(line.last('moderate')).toEqual({ action: 'admit', peerId: 'ben' });
    room.door.deny(second);
    expect(line.last('moderate')).toEqual({ action: 'deny', peerId: 'cat' });
    expect(room.door.waiting.value).toEqual([]);
  });

  test('sees who was let in by another, or gave up, wait no more', async () => {
    await join({ role: 'host' });
    line.tell('joinRequested', { peerId: 'ben' });
    line.tell('joinSettled', { peerId: 'ben' });
    expect(room.door.waiting.value).toEqual([]);
  });

  test('keeps who waits through a lost worker, and is told anew after a lost line', async () => {
    await join({ role: 'host' });
    line.tell('joinRequested', { peerId: 'ben' });
    line.tell('workerLost', {});
    await settle();
    expect(room.door.waiting.value).toHaveLength(1);
    line.down();
    line.up();
    await settle();
    expect(room.door.waiting.value).toEqual([]);
  });

  test('allows a wish to speak, which then is gone', async () => {
    await join({ ...ben, role: 'host' });
    line.tell('speakRequested', { peerId: 'ben', displayName: 'Ben' });
    line.tell('speakRequested', { peerId: 'ben', displayName: 'Ben' });
    expect(labels(room.door.wishes)).toEqual(['Ben']);
    room.door.promote('ben');
    expect(line.last('moderate')).toEqual({ action: 'promote', peerId: 'ben' });
    expect(room.door.wishes.value).toEqual([]);
  });

  test.each([
    ['who leaves', 'peerLeft', { peerId: 'ben' }],
    ['whom another host promotes', 'roleChanged', { peerId: 'ben', role: 'speaker' as const }],
  ] as const)('forgets the wish of somebody %s', async (_, type, payload) => {
    await join({ ...ben, role: 'host' });
    line.tell('speakRequested', { peerId: 'ben' });
    line.tell(type, payload as never);
    expect(room.door.wishes.value).toEqual([]);
  });

  test('knows what everybody may do, also those who came later', async () => {
    await join({
      ...ben,
      role: 'host',
      participants: [{ peerId: 'ben', audio: false, video: true, role: 'viewer' }],
    });
    line.roles = { peer_me: 'host', ben: 'viewer', cat: 'viewer' };
    line.tell('newPeer', { peerId: 'cat' });
    await settle();
    expect(room.people.value.map(({ role }) => role.value)).toEqual(['viewer', 'viewer']);
    line.tell('roleChanged', { peerId: 'cat', role: 'speaker' });
    expect(room.people.value.map(({ role }) => role.value)).toEqual(['viewer', 'speaker']);
  });

  test('who is one no more is asked nothing any more', async () => {
    await join({ role: 'host' });
    line.tell('joinRequested', { peerId: 'ben' });
    line.tell('roleChanged', { peerId: 'peer_me', role: 'speaker' });
    expect(room.door.waiting.value).toEqual([]);
    expect(room.words.value.at(-1)?.text).toBe('You are no host any more.');
  });

  test('is told what could not be done, unless it needs doing no more', async () => {
    await join({ role: 'host' });
    line.refuse.set('moderate', new Refusal('Participant not found', 'participant-not-found'));
    room.door.remove('gone');
    await settle();
    expect(room.words.value).toEqual([]);
    line.refuse.set('moderate', new Refusal('Not allowed', 'forbidden'));
    room.door.choose('locked');
    await settle();
    expect(room.words.value.at(-1)?.text).toBe('That could not be done: Not allowed');
  });

  test('decides who may come, and everybody is told', async () => {
    await join({ role: 'host' });
    expect(room.door.policy.value).toBe('open');
    room.door.choose('locked');
    expect(line.last('moderate')).toEqual({ action: 'setPolicy', policy: 'locked' });
    line.tell('policyChanged', { policy: 'locked' });
    expect(room.door.policy.value).toBe('locked');
    expect(room.words.value.map(({ text }) => text)).toEqual(['The room is locked now: nobody can join.']);
  });

  test('knows who may come from the beginning, without a word', async () => {
    room.join();
    line.joined = { roomId: 'room', peers: [], existingProducers: [], role: 'host' };
    line.up();
    line.tell('policyChanged', { policy: 'approval' });
    await settle();
    expect(room.door.policy.value).toBe('approval');
    expect(room.words.value).toEqual([]);
  });
});
