/** The meeting, with a fake line to the server and fake media behind it. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeMedia, fakeTrack } from './media.fake';
import type { RoomJoined } from './protocol';
import type { Room } from './room';
import { ben, cameraOn, forgetTracks, makeRoom, media, tracks, type FakeLine } from './room.fake';
import { LineLost, Refusal } from './socket';

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

describe('joining', () => {
  test('with nothing to send still shows and plays the others', async () => {
    await join(ben);
    const [person] = room.people.value;
    expect(room.status.value).toBe('live');
    expect(person?.label).toBe('Ben');
    expect(person?.video.value?.id).toBe('track of ben face');
    expect(person?.audio.value?.id).toBe('track of ben voice');
    expect([person?.cameraOn.value, person?.microphoneOn.value]).toEqual([true, false]);
    expect(line.count('resumeConsumer')).toBe(2);
    expect(line.count('produce')).toBe(0);
  });

  test('says who one is', async () => {
    await join();
    expect(line.last('joinRoom')).toEqual({ roomId: 'room', displayName: 'Ana' });
  });

  test('sends video, then audio', async () => {
    cameraOn();
    tracks.microphone.value = fakeTrack('mic');
    tracks.microphoneOn.value = true;
    await join();
    expect(line.asked.filter((one) => one.type === 'produce').map((one) => one.payload.kind)).toEqual(['video', 'audio']);
  });

  test('names people who sent no name', async () => {
    await join({ peers: ['peer_12ab'], participants: [{ peerId: 'peer_12ab', audio: false, video: false, role: 'speaker' }] });
    expect(room.people.value[0]?.label).toBe('Guest 12ab');
  });

  test('a refusal that cannot change ends it with the reason', async () => {
    room.join();
    line.refuse.set('joinRoom', new Refusal('Room is full', 'limit-reached'));
    line.up();
    await settle();
    expect(room.status.value).toBe('failed');
    expect(room.failure.value).toEqual({ reason: 'refused', message: 'Room is full', code: 'limit-reached' });
    expect(line.closed).toBe(true);
  });

  test('a passing refusal is tried again', async () => {
    room.join();
    line.refuse.set('createTransport', new Refusal('Worker lost', 'worker-lost'));
    line.up();
    await settle();
    line.refuse.clear();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(room.status.value).toBe('live');
  });

  test('a server that cannot be reached ends it after three tries', () => {
    room.join();
    line.down();
    line.down();
    expect(room.status.value).toBe('joining');
    line.down();
    expect(room.failure.value?.reason).toBe('unreachable');
  });
});

describe('codecs', () => {
  test('VP8 unless asked otherwise', async () => {
    cameraOn();
    await join();
    expect(media().publications[0]?.codec).toBe('vp8');
  });

  test.each(['video/VP9', 'vp9'])('the server may ask for another (%s)', async (forceVideoCodec) => {
    cameraOn();
    room.join();
    line.up({ options: { forceVideoCodec } });
    await settle();
    expect(media().publications[0]?.codec).toBe('vp9');
  });

  test('the page asks louder than the server', async () => {
    ({ room, line } = makeRoom({ codec: 'vp9' }));
    cameraOn();
    room.join();
    line.up({ options: { forceVideoCodec: 'video/H264' } });
    await settle();
    expect(media().publications[0]?.codec).toBe('vp9');
  });
});

describe('own devices', () => {
  test('muting pauses the producer here and there, unmuting resumes both', async () => {
    tracks.microphone.value = fakeTrack('mic');
    tracks.microphoneOn.value = true;
    await join();
    tracks.microphoneOn.value = false;
    await settle();
    expect(line.last('pauseProducer')).toEqual({ producerId: 'mine 1' });
    expect(media().publications[0]?.paused).toBe(true);
    tracks.microphoneOn.value = true;
    await settle();
    expect(line.last('resumeProducer')).toEqual({ producerId: 'mine 1' });
    expect(media().publications[0]?.paused).toBe(false);
    expect(line.count('produce')).toBe(1);
  });

  test('a camera switched on later is sent then', async () => {
    await join();
    expect(line.count('produce')).toBe(0);
    cameraOn();
    await settle();
    expect(line.count('produce')).toBe(1);
  });

  test('flipping the switch faster than the server answers ends where the switch is', async () => {
    tracks.microphone.value = fakeTrack('mic');
    tracks.microphoneOn.value = true;
    await join();
    for (const on of [false, true, false, true, false]) tracks.microphoneOn.value = on;
    await settle();
    expect(media().publications[0]?.paused).toBe(true);
    expect(line.asked.at(-1)?.type).toBe('pauseProducer');
  });

  test('a refused camera is said once and does not keep the microphone back', async () => {
    cameraOn();
    tracks.microphone.value = fakeTrack('mic');
    tracks.microphoneOn.value = true;
    room.join();
    line.refuse.set('produce', new Refusal('No', 'limit-reached'));
    line.up();
    await settle();
    expect(line.count('produce')).toBe(2);
    expect(room.words.value.map(({ tone }) => tone)).toEqual(['bad', 'bad']);
  });
});

describe('other people', () => {
  test('come, publish, mute, unpublish and go', async () => {
    await join();
    line.tell('newPeer', { peerId: 'ben', displayName: 'Ben' });
    line.tell('newProducer', { peerId: 'ben', producerId: 'face', kind: 'video' });
    await settle();
    const [person] = room.people.value;
    expect(person?.video.value?.id).toBe('track of face');
    line.tell('producerPaused', { peerId: 'ben', producerId: 'face' });
    expect(person?.cameraOn.value).toBe(false);
    line.tell('producerResumed', { peerId: 'ben', producerId: 'face' });
    expect(person?.cameraOn.value).toBe(true);
    line.tell('producerClosed', { peerId: 'ben', producerId: 'face' });
    expect(person?.video.value).toBeNull();
    line.tell('peerLeft', { peerId: 'ben' });
    expect(room.people.value).toEqual([]);
    expect(room.words.value.map(({ text }) => text)).toEqual(['Ben joined', 'Ben left']);
  });

  test('keep their places when someone leaves', async () => {
    await join({ peers: ['a', 'b', 'c'] });
    line.tell('peerLeft', { peerId: 'b' });
    line.tell('newPeer', { peerId: 'd' });
    expect(room.people.value.map(({ id }) => id)).toEqual(['a', 'c', 'd']);
  });

  test('who leaves while being subscribed to leaves nothing behind', async () => {
    await join();
    line.tell('newProducer', { peerId: 'ben', producerId: 'face', kind: 'video' });
    line.tell('peerLeft', { peerId: 'ben' });
    await settle();
    expect(media().receptions.every((one) => (one as unknown as { closed: boolean }).closed)).toBe(true);
  });

  test('are sent as large as their tiles, also after coming back', async () => {
    await join(ben);
    const wishes = () => line.asked.filter(({ type }) => type === 'setPreferredLayers').map(({ payload }) => payload);
    const wish = (spatialLayer: number) => ({ consumerId: 'consumer of ben face', spatialLayer });
    const [person] = room.people.value;
    if (!person) throw new Error('ben is not there');
    room.wantLayer(person, 1);
    room.wantLayer(person, 1);
    expect(wishes()).toEqual([wish(1)]);
    line.down();
    line.up();
    await settle();
    expect(wishes()).toEqual([wish(1), wish(1)]);
  });

  test('what this browser cannot play is said', async () => {
    room.join();
    line.refuse.set('consume', new Refusal('Cannot consume', 'cannot-consume'));
    line.joined = { ...line.joined, ...ben };
    line.up();
    await settle();
    expect(room.words.value[0]?.text).toBe('Ben cannot be received: Cannot consume');
  });

  test('are marked while they speak, and a little longer', async () => {
    await join({
      peers: ['ben'],
      existingProducers: [{ peerId: 'ben', producers: [{ producerId: 'ben voice', kind: 'audio' }] }],
    });
    const [person] = room.people.value;
    media().level = 0.2;
    await vi.advanceTimersByTimeAsync(250);
    expect(person?.speaking.value).toBe(true);
    media().level = 0;
    await vi.advanceTimersByTimeAsync(400);
    expect(person?.speaking.value).toBe(true);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(person?.speaking.value).toBe(false);
  });
});

describe('losing and coming back', () => {
  test('a lost socket keeps the people on the screen and joins again when it is back', async () => {
    cameraOn();
    await join(ben);
    const before = room.people.value[0];
    line.down();
    expect(room.status.value).toBe('reconnecting');
    expect(room.people.value).toHaveLength(1);
    line.up();
    await settle();
    expect(room.status.value).toBe('live');
    expect(room.people.value[0]).toBe(before);
    expect(FakeMedia.all.map((one) => one.closed)).toEqual([true, false]);
    expect(line.count('produce')).toBe(2);
    expect(before?.video.value?.id).toBe('track of ben face');
  });

  test('a lost worker is joined again on the same socket', async () => {
    cameraOn();
    await join(ben);
    line.tell('workerLost', {});
    expect(room.status.value).toBe('reconnecting');
    await settle();
    expect(room.status.value).toBe('live');
    expect(line.count('joinRoom')).toBe(2);
    expect(media().publications).toHaveLength(1);
  });

  test('a transport that the server closed brings everything back', async () => {
    await join(ben);
    line.tell('transportClosed', { transportId: 'transport recv', reason: 'consentLost' });
    await settle();
    expect(line.count('joinRoom')).toBe(2);
    expect(room.status.value).toBe('live');
  });

  test('transports let go of earlier are nobody\'s loss', async () => {
    await join();
    line.tell('transportClosed', { transportId: 'some older one', reason: 'dtlsClosed' });
    await settle();
    expect(line.count('joinRoom')).toBe(1);
  });

  test('a server that loses us again and again is given time', async () => {
    await join();
    for (let i = 0; i < 20; i += 1) {
      line.tell('workerLost', {});
      await vi.advanceTimersByTimeAsync(500);
    }
    expect(line.count('joinRoom')).toBeLessThan(8);
  });

  test('a worker that is not up again yet is waited for', async () => {
    await join();
    line.refuse.set('joinRoom', new Refusal('Worker lost', 'worker-lost'));
    line.tell('workerLost', {});
    await vi.advanceTimersByTimeAsync(500);
    expect(room.status.value).toBe('reconnecting');
    line.refuse.clear();
    await vi.advanceTimersByTimeAsync(3_000);
    expect(room.status.value).toBe('live');
  });

  test('people who left meanwhile are gone, new ones come last', async () => {
    await join({ peers: ['a', 'b'] });
    line.down();
    line.joined = { ...line.joined, peers: ['z', 'b'] };
    line.up();
    await settle();
    expect(room.people.value.map(({ id }) => id)).toEqual(['b', 'z']);
  });

  test('a second loss while entering does not leave two entries', async () => {
    await join();
    line.down();
    line.up();
    line.down();
    line.up();
    await settle();
    expect(FakeMedia.all.filter((one) => !one.closed)).toHaveLength(1);
    expect(room.status.value).toBe('live');
  });

  test('a short hiccup of ICE is left alone', async () => {
    await join();
    media().become('recv', 'disconnected');
    expect(room.mediaTroubled.value).toBe(true);
    await vi.advanceTimersByTimeAsync(1_000);
    media().become('recv', 'connected');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(room.mediaTroubled.value).toBe(false);
    expect(line.count('restartIce')).toBe(0);
  });

  test('a longer one restarts ICE, and what that cannot mend is joined anew', async () => {
    await join();
    const first = media();
    first.become('send', 'disconnected');
    await vi.advanceTimersByTimeAsync(2_100);
    expect(first.restarted).toEqual(['transport send']);
    first.become('send', 'connecting');
    await vi.advanceTimersByTimeAsync(6_100);
    expect(line.count('joinRoom')).toBe(2);
    expect(room.status.value).toBe('live');
  });

  test('a restart that works ends there', async () => {
    await join();
    media().become('send', 'failed');
    await vi.advanceTimersByTimeAsync(100);
    media().become('send', 'connected');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(line.count('restartIce')).toBe(1);
    expect(line.count('joinRoom')).toBe(1);
  });

  test('a transport the server no longer knows is joined anew at once', async () => {
    await join();
    line.refuse.set('restartIce', new Refusal('Transport not found', 'transport-not-found'));
    media().become('send', 'failed');
    await vi.advanceTimersByTimeAsync(100);
    expect(line.count('joinRoom')).toBe(2);
  });
});

test('leaving says goodbye, lets everything go and stays left', async () => {
  cameraOn();
  await join(ben);
  line.refuse.set('leaveRoom', new LineLost('gone'));
  room.leave();
  expect(line.last('leaveRoom')).toEqual({});
  expect(line.closed).toBe(true);
  expect(media().closed).toBe(true);
  line.up();
  await settle();
  expect(room.status.value).toBe('left');
  expect(room.people.value).toEqual([]);
});

test('words go away by themselves, and the oldest when there are too many', () => {
  for (const text of ['one', 'two', 'three', 'four']) room.say(text);
  expect(room.words.value.map(({ text }) => text)).toEqual(['two', 'three', 'four']);
  vi.advanceTimersByTime(5_000);
  expect(room.words.value).toEqual([]);
});
