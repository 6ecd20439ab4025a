/** Fresh room names. */
import { expect, test } from 'vitest';
import { freshRoomName } from './names';

test('a fresh name is three words and a tail', () => {
  for (let i = 0; i < 200; i += 1) expect(freshRoomName()).toMatch(/^[a-z]+-[a-z]+-[a-z]+-[2-9a-z]{4}$/);
});

test('fresh names do not repeat', () => {
  const names = new Set(Array.from({ length: 2_000 }, () => freshRoomName()));
  expect(names.size).toBe(2_000);
});

test('the lists hold enough words that a name cannot be guessed', () => {
  const sizes: number[] = [];
  freshRoomName((below) => {
    sizes.push(below);
    return 0;
  });
  const bits = sizes.reduce((sum, size) => sum + Math.log2(size), 0);
  expect(bits).toBeGreaterThan(36);
});
