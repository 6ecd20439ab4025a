/** Room: joining, producers, participants and recovery, with fake signalling and media. */
import { describe, expect, test, vi } from 'vitest';
import { FakeMedia } from './media.fake';
import type { LayersReason } from './protocol';
import type { HeldBackReason } from './remoteProducer';
import { RoomFixture, ben, media, settle, tracks, turnCameraOn, turnMicrophoneOn } from './room.fake';
import { ConnectionLost, Refusal } from './signalling';

const call = new RoomFixture();

test('a room knows whether others were there since we came', async () => {
  await call.join({ title: 'Weekly meeting' });
  expect([call.room.hadOthers.value, call.room.title.value]).toEqual([false, 'Weekly meeting']);
  call.server.notify('newPeer', { peerId: 'ben' });
  call.server.notify('peerLeft', { peerId: 'ben' });
  expect(call.room.participants.value).toEqual([]);
  expect(call.room.hadOthers.value).toBe(true);
});

describe('joining', () => {
  test('consumes the producers of others when there is nothing to send', async () => {
    await call.join(ben);
    const [participant] = call.room.participants.value;
    expect(call.room.status.value).toBe('live');
    expect(participant?.name.value).toBe('Ben');
    expect(participant?.camera.value?.track.value?.id).toBe('track of ben face');
    expect(participant?.sounds.value[0]?.track.value?.id).toBe('track of ben voice');
    expect([participant?.cameraOn.value, participant?.microphoneOn.value]).toEqual([true, false]);
    expect(call.server.count('resumeConsumer')).toBe(2);
    expect(call.server.count('produce')).toBe(0);
  });

  test('sends the display name', async () => {
    await call.join();
    expect(call.server.last('joinRoom')).toEqual({ roomId: 'room', displayName: 'Ana' });
  });

  test('produces video before audio', async () => {
    turnCameraOn();
    turnMicrophoneOn();
    await call.join();
    expect(call.server.requests.filter((it) => it.type === 'produce').map((it) => it.payload.kind)).toEqual(['video', 'audio']);
  });

  test('fails with the refusal code when a retry cannot help', async () => {
    call.room.join();
    call.server.refusals.set('joinRoom', new Refusal('Room is full', 'limit-reached'));
    call.server.connect();
    await settle();
    expect(call.room.status.value).toBe('failed');
    expect(call.room.failure.value).toEqual({ reason: 'refused', message: 'Room is full', code: 'limit-reached' });
    expect(call.server.closed).toBe(true);
  });

  test('retries after a temporary refusal', async () => {
    call.room.join();
    call.server.refusals.set('createTransport', new Refusal('Worker lost', 'worker-lost'));
    call.server.connect();
    await settle();
    call.server.refusals.clear();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(call.room.status.value).toBe('live');
  });

  test('fails after three attempts when the server is unreachable', () => {
    call.room.join();
    call.server.disconnect();
    call.server.disconnect();
    expect(call.room.status.value).toBe('joining');
    call.server.disconnect();
    expect(call.room.failure.value?.reason).toBe('unreachable');
  });
});

describe('codecs', () => {
  test('VP8 is the default', async () => {
    turnCameraOn();
    await call.join();
    expect(media().producers[0]?.codec).toBe('vp8');
  });

  test.each([
    ['video/VP9', 'vp9'],
    ['vp9', 'vp9'],
    ['video/AV1', 'av1'],
    ['video/H265', 'vp8'],
  ])('the codec forced by the server is used (%s)', async (forceVideoCodec, codec) => {
    turnCameraOn();
    call.room.join();
    call.server.connect({ options: { forceVideoCodec } });
    await settle();
    expect(media().producers[0]?.codec).toBe(codec);
  });

  test('the codec of the URL takes precedence over the server', async () => {
    call.create({ codec: 'vp9' });
    turnCameraOn();
    call.room.join();
    call.server.connect({ options: { forceVideoCodec: 'video/H264' } });
    await settle();
    expect(media().producers[0]?.codec).toBe('vp9');
  });
});

describe('local devices', () => {
  test('muting pauses the producer locally and on the server, unmuting resumes both', async () => {
    turnMicrophoneOn();
    await call.join();
    tracks.microphoneOn.value = false;
    await settle();
    expect(call.server.last('pauseProducer')).toEqual({ producerId: 'mine 1' });
    expect(media().producers[0]?.paused).toBe(true);
    tracks.microphoneOn.value = true;
    await settle();
    expect(call.server.last('resumeProducer')).toEqual({ producerId: 'mine 1' });
    expect(media().producers[0]?.paused).toBe(false);
    expect(call.server.count('produce')).toBe(1);
  });

  test('a camera switched on later is produced then', async () => {
    await call.join();
    expect(call.server.count('produce')).toBe(0);
    turnCameraOn();
    await settle();
    expect(call.server.count('produce')).toBe(1);
  });

  test('the producer follows the last of several quick toggles', async () => {
    turnMicrophoneOn();
    await call.join();
    for (const on of [false, true, false, true, false]) tracks.microphoneOn.value = on;
    await settle();
    expect(media().producers[0]?.paused).toBe(true);
    expect(call.server.requests.at(-1)?.type).toBe('pauseProducer');
  });

  test('a refused camera is reported once and the microphone is still produced', async () => {
    turnCameraOn();
    turnMicrophoneOn();
    call.room.join();
    call.server.refusals.set('produce', new Refusal('No', 'limit-reached'));
    call.server.connect();
    await settle();
    expect(call.server.count('produce')).toBe(2);
    expect(call.room.notifications.value.map(({ tone }) => tone)).toEqual(['bad', 'bad']);
  });
});

describe('other participants', () => {
  test('join, produce, pause, close and leave', async () => {
    await call.join();
    call.server.notify('newPeer', { peerId: 'ben', displayName: 'Ben' });
    call.server.notify('newProducer', { peerId: 'ben', producerId: 'face', kind: 'video' });
    await settle();
    const [participant] = call.room.participants.value;
    expect(participant?.camera.value?.track.value?.id).toBe('track of face');
    call.server.notify('producerPaused', { peerId: 'ben', producerId: 'face' });
    expect(participant?.cameraOn.value).toBe(false);
    call.server.notify('producerResumed', { peerId: 'ben', producerId: 'face' });
    expect(participant?.cameraOn.value).toBe(true);
    call.server.notify('producerClosed', { peerId: 'ben', producerId: 'face' });
    expect(participant?.camera.value).toBeNull();
    call.server.notify('peerLeft', { peerId: 'ben' });
    expect(call.room.participants.value).toEqual([]);
    const who = { id: 'ben', name: 'Ben' };
    expect(call.room.notifications.value.map(({ content }) => content)).toEqual([
      { code: 'joined', who },
      { code: 'left', who },
    ]);
  });

  test('keep their order when someone leaves', async () => {
    await call.join({ peers: ['a', 'b', 'c'] });
    call.server.notify('peerLeft', { peerId: 'b' });
    call.server.notify('newPeer', { peerId: 'd' });
    expect(call.room.participants.value.map(({ id }) => id)).toEqual(['a', 'c', 'd']);
  });

  test('leave no open consumer when they leave while being consumed', async () => {
    await call.join();
    call.server.notify('newProducer', { peerId: 'ben', producerId: 'face', kind: 'video' });
    call.server.notify('peerLeft', { peerId: 'ben' });
    await settle();
    expect(media().consumers.every(({ closed }) => closed)).toBe(true);
  });

  test('are requested at the layer of their tiles, also after a rejoin', async () => {
    await call.join(ben);
    const requested = () => call.server.requests.filter(({ type }) => type === 'setPreferredLayers').map(({ payload }) => payload);
    const layer = (spatialLayer: number) => ({ consumerId: 'consumer of ben face', spatialLayer });
    for (let i = 0; i < 2; i += 1) call.room.consumers.setShown(new Map([['ben face', 360]]));
    expect(requested()).toEqual([layer(1)]);
    await call.reconnect();
    expect(requested()).toEqual([layer(1), layer(1)]);
  });

  test('cause a notification when their producer cannot be consumed', async () => {
    call.room.join();
    call.server.refusals.set('consume', new Refusal('Cannot consume', 'cannot-consume'));
    call.server.joined = { ...call.server.joined, ...ben };
    call.server.connect();
    await settle();
    expect(call.room.notifications.value[0]?.content).toEqual({
      code: 'notReceived',
      who: { id: 'ben', name: 'Ben' },
      reason: { code: 'cannot-consume', message: 'Cannot consume' },
    });
  });
});

describe('the active speaker', () => {
  test('is the one of the snapshot, and then of each notice', async () => {
    await call.join({ ...ben, activeSpeaker: 'ben' });
    expect(call.room.speakers.active.value).toBe('ben');
    expect(call.room.isSpeaking).toBe(false);
    call.server.notify('activeSpeaker', {});
    expect(call.room.speakers.active.value).toBeNull();
    call.server.notify('activeSpeaker', { peerId: 'ben' });
    expect(call.room.speakers.active.value).toBe('ben');
  });

  test('may be the person at this page', async () => {
    await call.join(ben);
    expect(call.room.isSpeaking).toBe(false);
    call.server.notify('activeSpeaker', { peerId: 'peer_me' });
    expect(call.room.isSpeaking).toBe(true);
  });

  test('is nobody while the connection is lost, and after it until the server says so', async () => {
    await call.join(ben);
    call.server.notify('activeSpeaker', { peerId: 'ben' });
    call.server.disconnect();
    expect(call.room.speakers.active.value).toBeNull();
    await call.reconnect();
    expect(call.room.speakers.active.value).toBeNull();
    call.server.notify('activeSpeaker', { peerId: 'ben' });
    expect(call.room.speakers.active.value).toBe('ben');
  });
});

describe('a consumer that the server closes', () => {
  test('is replaced while its producer exists', async () => {
    await call.join(ben);
    call.server.notify('consumerClosed', { consumerId: 'consumer of ben face', producerId: 'ben face' });
    expect(call.room.participants.value[0]?.camera.value?.track.value).toBeNull();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(call.room.participants.value[0]?.camera.value?.track.value?.id).toBe('track of ben face');
  });

  test('is not replaced when its producer closes with it', async () => {
    await call.join(ben);
    call.server.notify('consumerClosed', { consumerId: 'consumer of ben face', producerId: 'ben face' });
    call.server.notify('producerClosed', { peerId: 'ben', producerId: 'ben face' });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(call.server.count('consume')).toBe(2);
  });
});

describe('a video that the connection does not carry', () => {
  const changed = (spatialLayer?: number) =>
    call.server.notify('consumerLayersChanged', {
      consumerId: 'consumer of ben face',
      ...(spatialLayer === undefined ? { reason: 'bandwidth' } : { spatialLayer }),
    });

  test('is marked until it is sent again', async () => {
    await call.join(ben);
    const participant = call.room.participants.value[0];
    expect(participant?.camera.value?.heldBack.value).toBeNull();
    changed();
    expect(participant?.camera.value?.heldBack.value).toBe('bandwidth');
    changed(0);
    expect(participant?.camera.value?.heldBack.value).toBeNull();
  });

  test.each<[string, LayersReason, HeldBackReason | null]>([
    ['has another reason when the room shows only some cameras', 'lastN', 'lastN'],
    ['is not held back when its publisher sends nothing', 'publisher', null],
  ])('%s', async (_, reason, expected) => {
    await call.join(ben);
    call.server.notify('consumerLayersChanged', { consumerId: 'consumer of ben face', reason });
    expect(call.room.participants.value[0]?.camera.value?.heldBack.value).toBe(expected);
    changed(1);
    expect(call.room.participants.value[0]?.camera.value?.heldBack.value).toBeNull();
  });

  test('is no longer marked when it is consumed anew', async () => {
    await call.join(ben);
    changed();
    call.server.notify('consumerClosed', { consumerId: 'consumer of ben face', producerId: 'ben face' });
    expect(call.room.participants.value[0]?.camera.value?.heldBack.value).toBeNull();
  });
});

describe('what the others want of a video', () => {
  test('is passed on to its sender', async () => {
    turnCameraOn();
    await call.join();
    const [camera] = media().producers;
    call.server.notify('producerDemandChanged', { producerId: camera?.id ?? '', spatialLayer: 1, highestBitrate: 600_000 });
    call.server.notify('producerDemandChanged', { producerId: 'an earlier one', spatialLayer: 0 });
    await vi.advanceTimersByTimeAsync(0);
    expect(camera?.demands).toEqual([{ spatialLayer: 1, highestBitrate: 600_000 }]);
  });
});

describe('a temporary refusal', () => {
  const MINUTES = 60_000;

  test.each(['consume', 'resumeConsumer'])('of %s leaves nobody black for good, and is reported once', async (type) => {
    call.room.join();
    call.server.refusals.set(type, new Refusal('Timed out', 'timed-out'));
    call.server.joined = { ...call.server.joined, ...ben };
    call.server.connect();
    await vi.advanceTimersByTimeAsync(10 * MINUTES);
    expect(call.room.participants.value[0]?.camera.value?.track.value).toBeNull();
    expect(call.server.requests.filter((it) => it.type === 'consume').length).toBeGreaterThan(20);
    call.server.refusals.clear();
    await vi.advanceTimersByTimeAsync(MINUTES);
    expect(call.room.participants.value[0]?.camera.value?.track.value?.id).toBe('track of ben face');
    expect(media().consumers.filter(({ closed }) => !closed)).toHaveLength(2);
    const asked = call.server.count('consume');
    await vi.advanceTimersByTimeAsync(10 * MINUTES);
    expect(call.server.count('consume')).toBe(asked);
  });

  test('of consume is not repeated after the producer closed or the person left', async () => {
    call.room.join();
    call.server.refusals.set('consume', new Refusal('Timed out', 'timed-out'));
    call.server.joined = { ...call.server.joined, ...ben };
    call.server.connect();
    await settle();
    call.server.notify('producerClosed', { peerId: 'ben', producerId: 'ben face' });
    call.server.notify('peerLeft', { peerId: 'ben' });
    await vi.advanceTimersByTimeAsync(MINUTES);
    expect(call.server.count('consume')).toBe(2);
  });

  test('that is lasting is not repeated', async () => {
    call.room.join();
    call.server.refusals.set('consume', new Refusal('Cannot consume', 'cannot-consume'));
    call.server.joined = { ...call.server.joined, ...ben };
    call.server.connect();
    await vi.advanceTimersByTimeAsync(MINUTES);
    expect(call.server.count('consume')).toBe(2);
  });

  test('of a layer is repeated with the layer wanted then', async () => {
    await call.join(ben);
    call.server.refusals.set('setPreferredLayers', new Refusal('Too many requests', 'rate-limited'));
    for (const height of [90, 360]) call.room.consumers.setShown(new Map([['ben face', height]]));
    await vi.advanceTimersByTimeAsync(10 * MINUTES);
    call.server.refusals.clear();
    await vi.advanceTimersByTimeAsync(MINUTES);
    expect(call.server.last('setPreferredLayers')).toEqual({ consumerId: 'consumer of ben face', spatialLayer: 1 });
    const asked = call.server.count('setPreferredLayers');
    await vi.advanceTimersByTimeAsync(10 * MINUTES);
    expect(call.server.count('setPreferredLayers')).toBe(asked);
  });

  test('of a producer is reported once, and it is sent as soon as the server permits', async () => {
    turnCameraOn();
    call.room.join();
    call.server.refusals.set('produce', new Refusal('Too many producers', 'limit-reached'));
    call.server.connect();
    await vi.advanceTimersByTimeAsync(10 * MINUTES);
    expect(call.server.count('produce')).toBeGreaterThan(20);
    call.server.refusals.clear();
    await vi.advanceTimersByTimeAsync(MINUTES);
    expect(media().producers).toHaveLength(1);
  });

  test('of muting is repeated until the server knows', async () => {
    turnMicrophoneOn();
    await call.join();
    call.server.refusals.set('pauseProducer', new Refusal('Timed out', 'timed-out'));
    tracks.microphoneOn.value = false;
    await settle();
    expect(media().producers[0]?.paused).toBe(true);
    await vi.advanceTimersByTimeAsync(10 * MINUTES);
    call.server.refusals.clear();
    const asked = call.server.count('pauseProducer');
    await vi.advanceTimersByTimeAsync(MINUTES);
    expect(call.server.count('pauseProducer')).toBe(asked + 1);
    expect(call.server.count('resumeProducer')).toBe(0);
  });

  test('of the own place after a lost connection is repeated', async () => {
    await call.join();
    call.server.refusals.set('joinRoom', new Refusal('Room is full', 'limit-reached'));
    await call.reconnect();
    expect(call.room.status.value).toBe('reconnecting');
    call.server.refusals.clear();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(call.room.status.value).toBe('live');
  });
});

describe('recovery', () => {
  test('a lost connection keeps the participants and rejoins when it is back', async () => {
    turnCameraOn();
    await call.join(ben);
    const before = call.room.participants.value[0];
    call.server.disconnect();
    expect(call.room.status.value).toBe('reconnecting');
    expect(call.room.participants.value).toHaveLength(1);
    call.server.connect();
    await settle();
    expect(call.room.status.value).toBe('live');
    expect(call.room.participants.value[0]).toBe(before);
    expect(FakeMedia.all.map((it) => it.closed)).toEqual([true, false]);
    expect(call.server.count('produce')).toBe(2);
    expect(before?.camera.value?.track.value?.id).toBe('track of ben face');
  });

  test('a lost worker causes a rejoin on the same connection', async () => {
    turnCameraOn();
    await call.join(ben);
    call.server.notify('workerLost', {});
    expect(call.room.status.value).toBe('reconnecting');
    await settle();
    expect(call.room.status.value).toBe('live');
    expect(call.server.count('joinRoom')).toBe(2);
    expect(media().producers).toHaveLength(1);
  });

  test('a transport closed by the server causes a rejoin', async () => {
    await call.join(ben);
    call.server.notify('transportClosed', { transportId: 'transport recv', reason: 'consentLost' });
    await settle();
    expect(call.server.count('joinRoom')).toBe(2);
    expect(call.room.status.value).toBe('live');
  });

  test('transports of an earlier attempt are ignored when closed', async () => {
    await call.join();
    call.server.notify('transportClosed', { transportId: 'some older one', reason: 'dtlsClosed' });
    await settle();
    expect(call.server.count('joinRoom')).toBe(1);
  });

  test('repeated worker losses are followed by growing delays', async () => {
    await call.join();
    for (let i = 0; i < 20; i += 1) {
      call.server.notify('workerLost', {});
      await vi.advanceTimersByTimeAsync(500);
    }
    expect(call.server.count('joinRoom')).toBeLessThan(8);
  });

  test('joining is retried until a lost worker is back', async () => {
    await call.join();
    call.server.refusals.set('joinRoom', new Refusal('Worker lost', 'worker-lost'));
    call.server.notify('workerLost', {});
    await vi.advanceTimersByTimeAsync(500);
    expect(call.room.status.value).toBe('reconnecting');
    call.server.refusals.clear();
    await vi.advanceTimersByTimeAsync(3_000);
    expect(call.room.status.value).toBe('live');
  });

  test('participants who left during a rejoin are removed, new ones come last', async () => {
    await call.join({ peers: ['a', 'b'] });
    call.server.disconnect();
    call.server.joined = { ...call.server.joined, peers: ['z', 'b'] };
    call.server.connect();
    await settle();
    expect(call.room.participants.value.map(({ id }) => id)).toEqual(['b', 'z']);
  });

  test('a second loss while joining leaves one open media instance', async () => {
    await call.join();
    call.server.disconnect();
    call.server.connect();
    await call.reconnect();
    expect(FakeMedia.all.filter((it) => !it.closed)).toHaveLength(1);
    expect(call.room.status.value).toBe('live');
  });

  test('a session that is resumed keeps its media, and what was done meanwhile is sent then', async () => {
    turnMicrophoneOn();
    call.create({ resume: 'a secret of this tab' });
    await call.join(ben);
    expect(call.server.last('joinRoom')).toMatchObject({ resume: 'a secret of this tab', resumable: true });
    expect(call.server.keptSecret).toBe('a secret of this tab');
    call.server.suspend();
    expect([call.room.reconnecting.value, call.room.status.value]).toEqual([true, 'live']);
    // Muting takes effect at once, whether or not the server can be told.
    tracks.microphoneOn.value = false;
    await settle();
    expect(media().producers[0]?.paused).toBe(true);
    call.server.resume();
    call.server.notify('newPeer', { peerId: 'eve', displayName: 'Eve' });
    await settle();
    expect(call.room.reconnecting.value).toBe(false);
    expect(call.room.participants.value.map(({ id }) => id)).toEqual(['ben', 'eve']);
    expect(FakeMedia.all.map(({ closed }) => closed)).toEqual([false]);
    expect(['joinRoom', 'produce', 'consume', 'pauseProducer'].map((type) => call.server.count(type))).toEqual([1, 1, 2, 1]);
  });

  test('ICE is restarted when signalling is back, on the paths that are gone', async () => {
    call.create({ resume: 'a secret of this tab' });
    await call.join();
    call.server.suspend();
    media().setConnectionState('send', 'failed');
    media().setConnectionState('recv', 'connected');
    await vi.advanceTimersByTimeAsync(20_000);
    expect([call.server.count('restartIce'), call.server.count('joinRoom')]).toEqual([0, 1]);
    call.server.resume();
    await settle();
    expect(media().iceRestarts).toEqual(['transport send']);
    media().setConnectionState('send', 'connected');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(call.server.count('joinRoom')).toBe(1);
  });

  test('those who come back after us from a restart of the server are not told to have joined', async () => {
    await call.join(ben);
    call.server.joined = { roomId: 'room', peers: [], existingProducers: [] };
    await call.reconnect();
    expect(call.room.participants.value).toEqual([]);
    call.server.notify('newPeer', { peerId: 'ben again', displayName: 'Ben' });
    expect(call.room.notifications.value).toEqual([]);
    // Once: another one of that name is news, and so is everybody after half a minute.
    call.server.notify('newPeer', { peerId: 'another ben', displayName: 'Ben' });
    expect(call.room.notifications.value.length).toBe(1);
    await call.reconnect();
    await vi.advanceTimersByTimeAsync(31_000);
    call.server.notify('newPeer', { peerId: 'ben later', displayName: 'Ben' });
    expect(call.room.notifications.value.length).toBe(1);
  });

  test('a session that goes on after silence restarts ICE on transports that seem connected, too', async () => {
    await call.join();
    for (const direction of ['send', 'recv'] as const) media().setConnectionState(direction, 'connected');
    call.server.suspend();
    call.server.resume(true);
    await settle();
    expect(media().iceRestarts).toEqual(['transport send', 'transport recv']);
    // Their state has not changed, which is no failure.
    await vi.advanceTimersByTimeAsync(20_000);
    expect(call.server.count('joinRoom')).toBe(1);
  });

  test('a session that the server does not know leads to another join', async () => {
    call.create({ resume: 'a secret of this tab' });
    await call.join(ben);
    call.server.suspend();
    call.server.connect();
    expect(call.room.status.value).toBe('reconnecting');
    await settle();
    expect([call.room.status.value, call.server.count('joinRoom')]).toEqual(['live', 2]);
  });

  test('a short ICE disconnection causes no restart', async () => {
    await call.join();
    media().setConnectionState('recv', 'disconnected');
    expect(call.room.recovery.impaired.value).toBe(true);
    await vi.advanceTimersByTimeAsync(1_000);
    media().setConnectionState('recv', 'connected');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(call.room.recovery.impaired.value).toBe(false);
    expect(call.server.count('restartIce')).toBe(0);
  });

  test('a longer ICE disconnection causes a restart, and a rejoin if that fails', async () => {
    await call.join();
    const first = media();
    first.setConnectionState('send', 'disconnected');
    await vi.advanceTimersByTimeAsync(2_100);
    expect(first.iceRestarts).toEqual(['transport send']);
    first.setConnectionState('send', 'connecting');
    await vi.advanceTimersByTimeAsync(6_100);
    expect(call.server.count('joinRoom')).toBe(2);
    expect(call.room.status.value).toBe('live');
  });

  test('a successful ICE restart causes no rejoin', async () => {
    await call.join();
    media().setConnectionState('send', 'failed');
    await vi.advanceTimersByTimeAsync(100);
    media().setConnectionState('send', 'connected');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(call.server.count('restartIce')).toBe(1);
    expect(call.server.count('joinRoom')).toBe(1);
  });

  test('a transport unknown to the server causes a rejoin at once', async () => {
    await call.join();
    call.server.refusals.set('restartIce', new Refusal('Transport not found', 'transport-not-found'));
    media().setConnectionState('send', 'failed');
    await vi.advanceTimersByTimeAsync(100);
    expect(call.server.count('joinRoom')).toBe(2);
  });
});

test('leaving notifies the server, closes everything and is final', async () => {
  turnCameraOn();
  await call.join(ben);
  call.server.refusals.set('leaveRoom', new ConnectionLost('gone'));
  call.room.leave();
  expect(call.server.last('leaveRoom')).toEqual({});
  expect(call.server.closed).toBe(true);
  expect(media().closed).toBe(true);
  call.server.connect();
  await settle();
  expect(call.room.status.value).toBe('left');
  expect(call.room.participants.value).toEqual([]);
});

test('notifications disappear after a while, the oldest first when there are too many', () => {
  const contents = [1, 2, 3, 4].map((seconds) => ({ code: 'serverClosing', seconds }) as const);
  for (const content of contents) call.room.notify(content);
  expect(call.room.notifications.value.map(({ content }) => content)).toEqual(contents.slice(1));
  vi.advanceTimersByTime(5_000);
  expect(call.room.notifications.value).toEqual([]);
});

describe('a large room', () => {
  test('counts participants who are not listed', async () => {
    await call.join({ ...ben, participantCount: 1_200 });
    expect(call.room.unlistedCount).toBe(1_198);
    call.server.notify('participantCount', { count: 1_300 });
    expect(call.room.unlistedCount).toBe(1_298);
    // One of them publishes, and is listed from then on.
    call.server.notify('newPeer', { peerId: 'cleo' });
    expect(call.room.unlistedCount).toBe(1_297);
  });
});

describe('a restart of the server', () => {
  test('is announced', async () => {
    await call.join(ben);
    call.server.notify('serverClosing', { seconds: 20 });
    expect(call.room.notifications.value.at(-1)?.content).toEqual({ code: 'serverClosing', seconds: 20 });
  });

  test('does not end the attempts to join', async () => {
    call.room.join();
    call.server.refusals.set('joinRoom', new Refusal('Server is restarting', 'shutting-down'));
    call.server.connect();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(call.room.status.value).toBe('joining');
    call.server.refusals.clear();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(call.room.status.value).toBe('live');
  });
});
