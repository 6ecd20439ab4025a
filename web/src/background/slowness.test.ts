import { expect, test } from 'vitest';
import { SlownessWatch } from './slowness';

/** Returns the number of pictures after which a device counts as too slow; null if it never does. */
function picturesUntilSlow(durationOf: (picture: number) => number): number | null {
  const watch = new SlownessWatch();
  for (let picture = 0; picture < 500; picture += 1) if (watch.record(durationOf(picture))) return picture + 1;
  return null;
}

test('a device that processes fifteen pictures in a second is fast enough', () => {
  expect(picturesUntilSlow(() => 60)).toBeNull();
});

test('a device is too slow after some seconds of slow pictures', () => {
  expect(picturesUntilSlow(() => 80)).toBe(55);
});

test('a slow beginning and single slow pictures do not count', () => {
  expect(picturesUntilSlow((picture) => (picture < 10 ? 2_000 : 30))).toBeNull();
  expect(picturesUntilSlow((picture) => (picture % 45 === 20 ? 1_000 : 30))).toBeNull();
});

test('a device that becomes slow is noticed', () => {
  expect(picturesUntilSlow((picture) => (picture < 200 ? 20 : 120))).toBeLessThanOrEqual(230);
});
