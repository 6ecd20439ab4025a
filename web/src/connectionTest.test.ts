import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ConnectionTest, adviceFor } from './connectionTest';
import { FakeMedia, fakeTrack } from './media.fake';
import type { Report, StatsReports } from './mediaStats';
import { FakeSignalling } from './room.fake';
import { Refusal } from './signalling';

/** Reports of a tone that was sent and received for some seconds. */
function reportsAt(
  seconds: number,
  { protocol = 'udp', candidateType = 'host', sentLost = 0, receivedLost = 0, packetsPerSecond = 50 } = {},
): StatsReports {
  const path: Report[] = [
    { type: 'candidate-pair', nominated: true, state: 'succeeded', localCandidateId: 'local', currentRoundTripTime: 0.04 },
    { type: 'local-candidate', id: 'local', candidateType, protocol },
  ];
  const packets = seconds * packetsPerSecond;
  const timestamp = seconds * 1_000;
  return {
    send: [
      ...path,
      { type: 'outbound-rtp', id: 'out', kind: 'audio', mid: '0', timestamp, packetsSent: packets, bytesSent: packets * 80 },
      { type: 'remote-inbound-rtp', localId: 'out', packetsLost: sentLost * seconds, roundTripTime: 0.05 },
    ],
    receive: [
      ...path,
      {
        type: 'inbound-rtp',
        kind: 'audio',
        trackIdentifier: 'tone',
        timestamp,
        packetsReceived: packets - receivedLost * seconds,
        packetsLost: receivedLost * seconds,
        bytesReceived: packets * 80,
      },
    ],
  };
}

let signalling: FakeSignalling | undefined;
const stopTone = vi.fn();

function newTest(): ConnectionTest {
  return new ConnectionTest({
    createSignalling: (events) => (signalling = new FakeSignalling(events)),
    createMedia: FakeMedia.create,
    createTone: () => ({ track: fakeTrack('tone'), stop: stopTone }),
  });
}

/** Runs a test whose media has these reports at its beginning and end. `states` are the connections that are made. */
async function run(reports: StatsReports[], connects = true) {
  const tested = newTest();
  const running = tested.run();
  signalling?.connect();
  await vi.advanceTimersByTimeAsync(0);
  const media = FakeMedia.all[0];
  if (!media) throw new Error('no media');
  media.reportsInOrder = reports;
  if (connects) for (const direction of ['send', 'recv'] as const) media.setConnectionState(direction, 'connected');
  await vi.advanceTimersByTimeAsync(20_000);
  await running;
  return { state: tested.state.value, media };
}

beforeEach(() => {
  vi.useFakeTimers();
  FakeMedia.all = [];
  stopTone.mockClear();
});
afterEach(() => vi.useRealTimers());

test('a tone that comes back is measured, and everything is closed afterwards', async () => {
  const { state, media } = await run([reportsAt(1), reportsAt(5)]);
  expect(state).toMatchObject({ stage: 'done', outcome: 'udp', rttMs: 50, lossShare: 0, port: 40_000 });
  expect(signalling?.last('consume')).toMatchObject({ producerId: 'mine 1' });
  expect(signalling?.count('resumeConsumer')).toBe(1);
  expect([media.closed, signalling?.closed, media.producers[0]?.closed]).toEqual([true, true, true]);
  expect(stopTone).toHaveBeenCalledOnce();
});

test.each([
  [{ protocol: 'tcp' }, 'tcp', 'tcp'],
  [{ candidateType: 'relay' }, 'relay', 'relay'],
  [{ sentLost: 5 }, 'udp', 'lossy'],
  [{ receivedLost: 5 }, 'udp', 'lossy'],
])('the way and the loss of %j are told', async (options, outcome, advice) => {
  const { state } = await run([reportsAt(1, options), reportsAt(5, options)]);
  expect(state.outcome).toBe(outcome);
  expect(adviceFor(state)).toBe(advice);
});

test('a tone that is hardly sent tells nothing of the loss', async () => {
  const options = { packetsPerSecond: 2, receivedLost: 1 };
  const { state } = await run([reportsAt(1, options), reportsAt(5, options)]);
  expect([state.outcome, state.lossShare]).toEqual(['udp', undefined]);
});

test('media that does not get through in time is blocked', async () => {
  const { state, media } = await run([reportsAt(1)], false);
  expect(state).toMatchObject({ stage: 'done', outcome: 'blocked' });
  expect(media.closed).toBe(true);
});

describe('a server', () => {
  test('that does not answer is unreachable', async () => {
    const tested = newTest();
    const running = tested.run();
    await vi.advanceTimersByTimeAsync(7_000);
    await running;
    expect(tested.state.value.outcome).toBe('unreachable');
    expect(signalling?.closed).toBe(true);
  });

  test('that cannot be connected to is unreachable at once', async () => {
    const tested = newTest();
    const running = tested.run();
    signalling?.disconnect();
    await running;
    expect(tested.state.value.outcome).toBe('unreachable');
  });

  test('that refuses the test says nothing about the connection', async () => {
    const tested = newTest();
    const running = tested.run();
    signalling?.refusals.set('testConnection', new Refusal('too many', 'limit-reached'));
    signalling?.connect();
    await running;
    expect(tested.state.value.outcome).toBe('failed');
  });
});

test('a test that is stopped shows nothing more, and closes what it opened', async () => {
  const tested = newTest();
  const running = tested.run();
  signalling?.connect();
  await vi.advanceTimersByTimeAsync(0);
  tested.stop();
  await vi.advanceTimersByTimeAsync(20_000);
  await running;
  expect(tested.state.value.stage).not.toBe('done');
  expect(FakeMedia.all.every(({ closed }) => closed)).toBe(true);
});

test('a long way is told unless packets are lost too', () => {
  expect(adviceFor({ stage: 'done', outcome: 'udp', rttMs: 400 })).toBe('slow');
  expect(adviceFor({ stage: 'done', outcome: 'tcp', rttMs: 400, lossShare: 0.1 })).toBe('lossy');
  expect(adviceFor({ stage: 'done', outcome: 'blocked', lossShare: 0.1 })).toBe('blocked');
});
