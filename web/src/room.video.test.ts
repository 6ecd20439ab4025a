/** Room: cameras and shared screens, and what is requested of those that are shown, with fake signalling and media. */
import { describe, expect, test, vi } from 'vitest';
import { RoomFixture, ben, media, settle, shareScreen, tracks, turnCameraOn, turnMicrophoneOn } from './room.fake';
import { Refusal } from './signalling';

const call = new RoomFixture();

const participant = () => {
  const [first] = call.room.participants.value;
  if (!first) throw new Error('nobody is in the room');
  return first;
};

const sent = () => media().producers.filter(({ closed }) => !closed).map(({ source }) => source);
const requests = (...types: string[]) =>
  call.server.requests.filter(({ type }) => types.includes(type)).map(({ type, payload }) => [type, payload.consumerId ?? payload.producerId]);

describe('a screen of another participant', () => {
  const notify = (producerId: string, source: 'screen' | 'screen-audio') =>
    call.server.notify('newProducer', { peerId: 'ben', producerId, kind: source === 'screen' ? 'video' : 'audio', source });

  test('is beside the camera, which stays when the screen is gone', async () => {
    await call.join(ben);
    notify('slides', 'screen');
    await settle();
    expect(participant().camera.value?.track.value?.id).toBe('track of ben face');
    expect(participant().screens.value.map(({ track }) => track.value?.id)).toEqual(['track of slides']);
    call.server.notify('producerClosed', { peerId: 'ben', producerId: 'slides' });
    expect(participant().screens.value).toEqual([]);
    expect(participant().camera.value?.track.value?.id).toBe('track of ben face');
    expect(participant().cameraOn.value).toBe(true);
  });

  test('is not a camera that is on', async () => {
    await call.join({ peers: ['ben'] });
    notify('slides', 'screen');
    notify('film', 'screen');
    notify('film voice', 'screen-audio');
    await settle();
    expect(participant().screens.value.map(({ id }) => id)).toEqual(['slides', 'film']);
    expect(participant().sounds.value.map(({ track }) => track.value?.id)).toEqual(['track of film voice']);
    expect([participant().cameraOn.value, participant().microphoneOn.value]).toEqual([false, false]);
  });
});

describe('our screens', () => {
  test('are sent beside the camera, each with its sound, until they are stopped', async () => {
    turnCameraOn();
    turnMicrophoneOn();
    await call.join();
    shareScreen('slides');
    shareScreen('film', true);
    await settle();
    expect(sent()).toEqual(['camera', 'mic', 'screen', 'screen', 'screen-audio']);
    tracks.stopScreen('film');
    await settle();
    expect(sent()).toEqual(['camera', 'mic', 'screen']);
    expect(requests('closeProducer')).toEqual([['closeProducer', 'mine 4'], ['closeProducer', 'mine 5']]);
  });

  test('are closed at the server, however often it takes', async () => {
    await call.join();
    shareScreen('slides');
    await settle();
    call.server.refusals.set('closeProducer', new Refusal('Too many requests', 'rate-limited'));
    tracks.stopScreen('slides');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(call.server.count('closeProducer')).toBeGreaterThan(3);
    call.server.refusals.clear();
    await vi.advanceTimersByTimeAsync(60_000);
    const asked = call.server.count('closeProducer');
    await vi.advanceTimersByTimeAsync(600_000);
    expect(call.server.count('closeProducer')).toBe(asked);
  });

  test('are sent again after a rejoin', async () => {
    await call.join();
    shareScreen('slides');
    await settle();
    await call.reconnect();
    expect(sent()).toEqual(['screen']);
  });

  test.each([
    ['closes', () => call.server.notify('producerClosed', { peerId: 'peer_me', producerId: 'mine 2' })],
    ['mutes', () => call.server.notify('muted', { producerId: 'mine 2', kind: 'video' })],
  ])('are stopped when the server %s them', async (_, act) => {
    turnMicrophoneOn();
    shareScreen('slides');
    await call.join();
    act();
    await settle();
    expect(tracks.screens.value).toEqual([]);
    expect(tracks.microphoneOn.value).toBe(true);
    expect(sent()).toEqual(['mic']);
  });

  test('change between text and motion without a new producer', async () => {
    await call.join();
    shareScreen('slides');
    await settle();
    tracks.screens.value = tracks.screens.value.map((screen) => ({ ...screen, mode: 'motion' }));
    await settle();
    expect(media().producers.map(({ contents }) => contents)).toEqual([['text', 'motion']]);
  });
});

test('a camera with another number of layers is sent by a new producer', async () => {
  turnCameraOn();
  await call.join();
  media().canReplaceTracks = false;
  turnCameraOn();
  await settle();
  expect(sent()).toEqual(['camera']);
  expect(requests('closeProducer')).toEqual([['closeProducer', 'mine 1']]);
});

describe('a video that is not shown', () => {
  const show = (...ids: string[]) => call.room.consumers.setShown(new Map(ids.map((id) => [id, 360])));

  test('is paused, and resumed when it is shown', async () => {
    await call.join(ben);
    show();
    show();
    show('ben face');
    await settle();
    const face = 'consumer of ben face';
    expect(requests('pauseConsumer', 'resumeConsumer')).toEqual([
      ['resumeConsumer', face],
      ['resumeConsumer', 'consumer of ben voice'],
      ['pauseConsumer', face],
      ['resumeConsumer', face],
    ]);
  });

  test('is not requested at all if it is new', async () => {
    await call.join();
    show();
    call.server.notify('newProducer', { peerId: 'ben', producerId: 'face', kind: 'video' });
    await settle();
    expect(requests('consume', 'resumeConsumer', 'setPreferredLayers')).toEqual([['consume', 'face']]);
  });

  test('is paused and resumed without a word when the server takes no more requests for a while', async () => {
    await call.join(ben);
    for (const type of ['pauseConsumer', 'resumeConsumer']) call.server.refusals.set(type, new Refusal('Too many requests', 'rate-limited'));
    show();
    await vi.advanceTimersByTimeAsync(5_000);
    call.server.refusals.clear();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(requests('pauseConsumer', 'resumeConsumer').at(-1)).toEqual(['pauseConsumer', 'consumer of ben face']);
    call.server.refusals.set('resumeConsumer', new Refusal('Too many requests', 'rate-limited'));
    show('ben face');
    await vi.advanceTimersByTimeAsync(5_000);
    call.server.refusals.clear();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(requests('pauseConsumer', 'resumeConsumer').at(-1)).toEqual(['resumeConsumer', 'consumer of ben face']);
    expect(requests('consume')).toHaveLength(2);
    expect(call.room.notifications.value).toEqual([]);
  });

  test('is not held back by the server', async () => {
    await call.join(ben);
    show();
    call.server.notify('consumerLayersChanged', { consumerId: 'consumer of ben face', reason: 'bandwidth' });
    expect(participant().camera.value?.heldBack.value).toBeNull();
  });
});

test('the height of the best layer decides which one is requested from then on', async () => {
  await call.join(ben);
  const camera = participant().camera.value;
  if (!camera) throw new Error('ben has no camera');
  call.room.consumers.setShown(new Map([['ben face', 400]]));
  expect(call.server.last('setPreferredLayers')?.spatialLayer).toBe(1);
  call.room.consumers.setShown(new Map([['ben face', 1_000]]));
  call.server.notify('consumerLayersChanged', { consumerId: 'consumer of ben face', spatialLayer: 2 });
  call.room.consumers.recordPictureHeight(camera, 540);
  const asked = call.server.count('setPreferredLayers');
  call.room.consumers.setShown(new Map([['ben face', 400]]));
  expect(call.server.count('setPreferredLayers')).toBe(asked);
});

test('a pinned video comes before the others, until another one is pinned, also after a rejoin', async () => {
  await call.join(ben);
  call.room.consumers.setPinned('ben face');
  expect(call.server.last('setPriority')).toEqual({ consumerId: 'consumer of ben face', priority: 192 });
  await call.reconnect();
  expect(call.server.count('setPriority')).toBe(2);
  call.room.consumers.setPinned(null);
  expect(call.server.last('setPriority')).toEqual({ consumerId: 'consumer of ben face', priority: 1 });
});
