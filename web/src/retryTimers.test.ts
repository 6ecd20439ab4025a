/** RetryTimers: growing delays that never end by themselves. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RetryTimers, retryMs } from './retryTimers';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('delays double from a second to half a minute, and half of each is random', () => {
  expect([0, 1, 2, 4, 5, 50].map((attempt) => retryMs(attempt, 1))).toEqual([1_000, 2_000, 4_000, 16_000, 30_000, 30_000]);
  expect(retryMs(0, 0)).toBe(500);
});

test('failing work is repeated for as long as it fails', () => {
  const timers = new RetryTimers(() => 1);
  let runs = 0;
  const firsts: boolean[] = [];
  const work = () => {
    runs += 1;
    firsts.push(timers.schedule('work', work));
  };
  work();
  vi.advanceTimersByTime(3_600_000);
  expect(runs).toBeGreaterThan(3_600 / 30);
  expect(firsts.filter((it) => it)).toEqual([true]);
});

test('settled work starts again with the first delay', () => {
  const timers = new RetryTimers(() => 1);
  const work = vi.fn();
  for (let i = 0; i < 5; i += 1) timers.schedule('work', work);
  timers.settle('work');
  vi.advanceTimersByTime(60_000);
  expect(work).not.toHaveBeenCalled();
  expect(timers.schedule('work', work)).toBe(true);
  vi.advanceTimersByTime(1_000);
  expect(work).toHaveBeenCalledOnce();
});

test('clear ends all work', () => {
  const timers = new RetryTimers();
  const work = vi.fn();
  for (const key of ['one', 'two']) timers.schedule(key, work);
  timers.clear();
  vi.advanceTimersByTime(60_000);
  expect(work).not.toHaveBeenCalled();
});
