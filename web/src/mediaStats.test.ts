/** Reading reports of `getStats`, in the form of Chromium's and of a browser that tells less. */
import { expect, test } from 'vitest';
import { readMediaStats } from './mediaStats';

const pair = { type: 'candidate-pair', nominated: true, state: 'succeeded', currentRoundTripTime: 0.042, availableOutgoingBitrate: 900_000 };

test('counters are read by consumer, and the state of the selected pair', () => {
  const stats = readMediaStats(
    {
      receive: [
        { type: 'inbound-rtp', trackIdentifier: 'a', packetsReceived: 9, packetsLost: 1, totalSamplesReceived: 100, concealedSamples: 30, silentConcealedSamples: 10 },
        { type: 'inbound-rtp', trackIdentifier: 'probator', packetsReceived: 5 },
        { type: 'candidate-pair', nominated: false, state: 'succeeded', currentRoundTripTime: 9 },
        pair,
      ],
      send: [
        { type: 'outbound-rtp', active: true, packetsSent: 70, qualityLimitationReason: 'none' },
        { type: 'outbound-rtp', active: false, packetsSent: 30, qualityLimitationReason: 'cpu' },
        { type: 'remote-inbound-rtp', packetsLost: 4 },
        pair,
      ],
    },
    new Map([['a', 'consumer a']]),
  );
  expect([...stats.inbound]).toEqual([
    ['consumer a', { packetsReceived: 9, packetsLost: 1, samples: 100, samplesConcealed: 20, frozenS: 0 }],
  ]);
  expect(stats.outbound).toEqual({ packetsSent: 100, packetsLost: 4 });
  expect(stats.receivePath).toEqual({ rttMs: 42, availableBitrate: 900_000 });
  expect(stats.sendPath).toEqual({ rttMs: 42, availableBitrate: 900_000, limitedByBandwidth: false, limitedByCpu: false });
});

test('absent reports say nothing', () => {
  const stats = readMediaStats({ receive: [], send: [] }, new Map());
  expect(stats.receivePath).toEqual({});
  expect(stats.outbound).toEqual({ packetsSent: 0, packetsLost: 0 });
});
