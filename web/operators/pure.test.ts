import { describe, expect, it } from 'vitest';
import { formatBitrate, formatDuration, formatShare } from './format';
import type { MediaThread, ServerStatus } from './operatorsApi';
import { sum, trafficByThread } from './rates';

describe('numbers are formatted for people', () => {
  it('bitrates have three digits or fewer', () => {
    expect([0, 999, 1_000, 9_940, 128_400, 999_600, 2_345_678].map(formatBitrate)).toEqual([
      '0 bit/s', '999 bit/s', '1.0 kbit/s', '9.9 kbit/s', '128 kbit/s', '1.0 Mbit/s', '2.3 Mbit/s',
    ]);
  });

  it('small shares have a decimal', () => {
    expect([0, 0.004, 0.0996, 0.25, 1].map(formatShare)).toEqual(['0 %', '0.4 %', '10 %', '25 %', '100 %']);
  });

  it('durations have their two largest units', () => {
    expect([-1, 59, 3_599, 3_660, 90_000].map(formatDuration)).toEqual(['0 s', '59 s', '59 min', '1 h 1 min', '1 d 1 h']);
  });
});

function status(at: string, bytesOut: number): ServerStatus {
  const thread = { index: 0, bytesIn: 0, bytesOut, packetsIn: 0, packetsOut: 10 } as MediaThread;
  return { at, mediaThreads: [thread] } as ServerStatus;
}

describe('rates are computed from two states', () => {
  const before = status('2026-12-01T10:00:00Z', 1_000);

  it('of the same thread', () => {
    const after = status('2026-12-01T10:00:02Z', 3_500);
    expect(sum(trafficByThread(before, after)).bitrateOut).toBe(10_000);
  });

  it('and are zero for one state, and when counters begin anew', () => {
    expect(sum(trafficByThread(null, before)).bitrateOut).toBe(0);
    expect(sum(trafficByThread(before, status('2026-12-01T10:00:02Z', 0))).bitrateOut).toBe(0);
  });
});
