/** When a connection counts as silent, and when the page as having slept. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ASLEEP_MS_MIN, Heartbeat, SILENCE_MS_MAX } from './heartbeat';

let pings: number;
let silences: boolean[];
let wakes: number;
let answers: boolean;
let heartbeat: Heartbeat;

beforeEach(() => {
  vi.useFakeTimers();
  [pings, silences, wakes, answers] = [0, [], 0, true];
  heartbeat = new Heartbeat({
    sendPing: () => {
      pings += 1;
      if (answers) setTimeout(() => heartbeat.recordFrame(), 50);
    },
    onSilence: (silent) => silences.push(silent),
    onWake: () => (wakes += 1),
  });
  heartbeat.start();
});

afterEach(() => {
  heartbeat.stop();
  vi.useRealTimers();
});

test('a server that answers is asked once a second and never silent', () => {
  vi.advanceTimersByTime(60_000);
  expect(pings).toBe(61);
  expect(silences).toEqual([]);
});

test('a server that stops answering is silent within three seconds, until it answers', () => {
  for (const afterMs of [60, 490, 990, 1_490]) {
    vi.advanceTimersByTime(afterMs);
    answers = false;
    const stoppedAt = Date.now();
    while (silences.length === 0) vi.advanceTimersByTime(10);
    expect(Date.now() - stoppedAt).toBeLessThan(3_000);
    answers = true;
    vi.advanceTimersByTime(1_100);
    expect(silences.splice(0)).toEqual([true, false]);
  }
});

test('a page that did not run for a while asks before it calls the server silent', () => {
  vi.advanceTimersByTime(1_000);
  for (const [pausedMs, woke] of [[5_000, 0], [ASLEEP_MS_MIN, 1]] as const) {
    vi.setSystemTime(Date.now() + pausedMs);
    vi.advanceTimersByTime(10_000);
    expect(silences).toEqual([]);
    expect(wakes).toBe(woke);
  }
});

test('a server that is gone after a sleep is silent soon', () => {
  vi.advanceTimersByTime(1_000);
  answers = false;
  vi.setSystemTime(Date.now() + 3_600_000);
  vi.advanceTimersByTime(500 + SILENCE_MS_MAX + 500);
  expect(silences).toEqual([true]);
});

test('nothing is silent after the stop', () => {
  answers = false;
  vi.advanceTimersByTime(3_000);
  expect(heartbeat.isSilent).toBe(true);
  heartbeat.stop();
  expect(silences).toEqual([true, false]);
  vi.advanceTimersByTime(60_000);
  expect(silences).toEqual([true, false]);
});
