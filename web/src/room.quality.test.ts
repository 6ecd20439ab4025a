/** Room: marks of slow connections, and receiving without cameras, with fake signalling and media. */
import { describe, expect, test, vi } from 'vitest';
import type { Cause, InboundCounters, OwnCause } from './connectionQuality';
import { LASTING_MS } from './qualityMonitor';
import { RoomFixture, ben, media, saveData, settle, turnCameraOn } from './room.fake';
import { ConnectionLost, Refusal } from './signalling';

const call = new RoomFixture();

const withScreen = {
  ...ben,
  existingProducers: [
    {
      peerId: 'ben',
      producers: [
        { producerId: 'ben face', kind: 'video' as const },
        { producerId: 'ben voice', kind: 'audio' as const },
        { producerId: 'ben slides', kind: 'video' as const, source: 'screen' as const },
      ],
    },
  ],
};

const participant = () => {
  const [first] = call.room.participants.value;
  if (!first) throw new Error('nobody is in the room');
  return first;
};

const NOTHING: InboundCounters = { packetsReceived: 0, packetsLost: 0, samples: 0, samplesConcealed: 0, frozenS: 0 };

/** Lets time pass; every second the consumer of a producer gets so many packets, loses so many, and stands still for so long. */
async function receive(seconds: number, received: number, lost: number, frozenS = 0, producerId = 'ben voice'): Promise<void> {
  for (let i = 0; i < seconds; i += 1) {
    const inbound = media().currentStats.inbound;
    const id = `consumer of ${producerId}`;
    const before = inbound.get(id) ?? NOTHING;
    const counters: InboundCounters = {
      ...before,
      packetsReceived: before.packetsReceived + received,
      packetsLost: before.packetsLost + lost,
      frozenS: before.frozenS + frozenS,
    };
    media().currentStats = { ...media().currentStats, inbound: new Map([[id, counters]]) };
    await vi.advanceTimersByTimeAsync(1_000);
  }
}

describe('a slow connection', () => {
  test('is marked at the participant who suffers, and no longer when all is well', async () => {
    await call.join(ben);
    await receive(20, 50, 0);
    expect(participant().cause.value).toBeNull();
    await receive(3, 30, 20);
    expect(participant().cause.value).toBeNull();
    await receive(5, 30, 20);
    expect(participant().cause.value).toBe('either');
    await receive(3, 50, 0);
    expect(participant().cause.value).toBe('either');
    await receive(8, 50, 0);
    expect(participant().cause.value).toBeNull();
  });

  test('is ours when the server holds a picture back, and lasting after a while', async () => {
    await call.join(ben);
    call.server.notify('consumerLayersChanged', { consumerId: 'consumer of ben face', reason: 'bandwidth' });
    await receive(16, 50, 0);
    expect([call.room.quality.own.value, call.room.quality.ownLasting.value]).toEqual(['connection', false]);
    await receive(LASTING_MS / 1_000 + 2, 50, 0);
    expect(call.room.quality.ownLasting.value).toBe(true);
    call.server.notify('consumerLayersChanged', { consumerId: 'consumer of ben face', spatialLayer: 1 });
    await receive(10, 50, 0);
    expect([call.room.quality.own.value, call.room.quality.ownLasting.value]).toEqual([null, false]);
  });

  test.each<[string, number, Cause, OwnCause | null]>([
    ['theirs when the server receives little of them', 4, 'theirs', null],
    ['ours when the server receives all of them', 10, 'own', 'connection'],
    ['of either when nothing of them arrives at the server', 0, 'either', null],
  ])('is %s', async (_, producerScore, cause, own) => {
    await call.join(ben);
    call.server.notify('consumerScore', { consumerId: 'consumer of ben voice', score: 10, producerScore });
    await receive(16, 30, 20);
    expect([participant().cause.value, call.room.quality.own.value]).toEqual([cause, own]);
  });

  test('is ours when the server receives little of what we send', async () => {
    turnCameraOn();
    await call.join(ben);
    call.server.notify('producerScore', { producerId: 'somebody else', score: 1 });
    await receive(16, 50, 0);
    expect(call.room.quality.own.value).toBeNull();
    call.server.notify('producerScore', { producerId: 'mine 1', score: 4 });
    await receive(6, 50, 0);
    expect(call.room.quality.own.value).toBe('connection');
  });

  test.each<['bandwidth' | 'publisher', OwnCause | null]>([
    ['bandwidth', 'connection'],
    ['publisher', null],
  ])('is judged by the reason of a reduced picture: %s', async (reason, own) => {
    await call.join(ben);
    call.server.notify('consumerLayersChanged', { consumerId: 'consumer of ben face', spatialLayer: 2 });
    call.server.notify('consumerLayersChanged', { consumerId: 'consumer of ben face', spatialLayer: 1, reason });
    await receive(16, 50, 0);
    expect(call.room.quality.own.value).toBe(own);
  });

  test('is not ours when a picture is not among those that the room shows', async () => {
    await call.join(ben);
    call.server.notify('consumerLayersChanged', { consumerId: 'consumer of ben face', reason: 'lastN' });
    await receive(30, 50, 0);
    expect([call.room.quality.own.value, participant().cause.value]).toEqual([null, null]);
  });

  test.each<[string, Cause | null]>([
    ['ben face', 'either'],
    ['ben slides', null],
  ])('is seen by a picture that stands still, unless it is a shared screen: %s', async (producerId, cause) => {
    await call.join(withScreen);
    await receive(16, 50, 0, 0.6, producerId);
    expect(participant().cause.value).toBe(cause);
  });

  test('is no longer marked while the connection is replaced', async () => {
    await call.join(ben);
    media().currentStats = { ...media().currentStats, receivePath: { rttMs: 900 } };
    await receive(20, 50, 0);
    expect(call.room.quality.own.value).toBe('connection');
    await call.reconnect();
    expect(call.room.quality.own.value).toBeNull();
  });
});

describe('saving data', () => {
  const openConsumers = () => media().consumers.filter(({ closed }) => !closed).map(({ producerId }) => producerId);

  test('closes the consumers of cameras and receives them again afterwards', async () => {
    await call.join(withScreen);
    expect(openConsumers()).toHaveLength(3);
    saveData.value = true;
    await settle();
    expect(openConsumers()).toEqual(['ben voice', 'ben slides']);
    expect(call.server.last('closeConsumer')).toEqual({ consumerId: 'consumer of ben face' });
    expect(participant().cameraOn.value).toBe(true);
    saveData.value = false;
    await settle();
    expect(openConsumers()).toEqual(['ben voice', 'ben slides', 'ben face']);
  });

  test('holds from the beginning, for new producers and after a rejoin', async () => {
    saveData.value = true;
    await call.join(withScreen);
    expect(openConsumers()).toEqual(['ben voice', 'ben slides']);
    call.server.notify('newProducer', { peerId: 'ben', producerId: 'another face', kind: 'video', source: 'camera' });
    await call.reconnect();
    expect(openConsumers()).toEqual(['ben voice', 'ben slides']);
  });

  test('leaves one consumer when it is switched on and off while a camera is being consumed', async () => {
    await call.join();
    call.server.notify('newPeer', { peerId: 'ben' });
    call.server.notify('newProducer', { peerId: 'ben', producerId: 'face', kind: 'video' });
    saveData.value = true;
    saveData.value = false;
    await settle();
    expect(openConsumers()).toEqual(['face']);
    expect(participant().camera.value?.track.value).not.toBeNull();
  });

  test('repeats the request to close until the server has closed', async () => {
    await call.join(ben);
    call.server.refusals.set('closeConsumer', new Refusal('Too many requests', 'rate-limited'));
    saveData.value = true;
    await vi.advanceTimersByTimeAsync(5_000);
    const asked = call.server.count('closeConsumer');
    expect(asked).toBeGreaterThan(1);
    call.server.refusals.set('closeConsumer', new Refusal('Consumer not found', 'consumer-not-found'));
    await vi.advanceTimersByTimeAsync(60_000);
    const last = call.server.count('closeConsumer');
    call.server.refusals.set('closeConsumer', new ConnectionLost('gone'));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(call.server.count('closeConsumer')).toBe(last);
  });
});

test('media that travels over TCP is told', async () => {
  await call.join(ben);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(call.room.quality.overTcp.value).toBe(false);
  media().currentStats = { ...media().currentStats, sendPath: { route: 'tcp' } };
  await vi.advanceTimersByTimeAsync(2_000);
  expect(call.room.quality.overTcp.value).toBe(true);
});
