/** Generated room names. */
import { expect, test } from 'vitest';
import { generateRoomName, generateRoomTitle } from './roomNames';

test('a generated name is three words and a suffix', () => {
  for (let i = 0; i < 200; i += 1) expect(generateRoomName()).toMatch(/^[a-z]+-[a-z]+-[a-z]+-[2-9a-z]{4}$/);
});

test('a generated title is three words, as a sentence begins', () => {
  expect(generateRoomTitle()).toMatch(/^[A-Z][a-z]+ [a-z]+ [a-z]+$/);
});

test('generated names do not repeat', () => {
  const names = new Set(Array.from({ length: 2_000 }, () => generateRoomName()));
  expect(names.size).toBe(2_000);
});

test('a generated name has more than 36 bits of entropy', () => {
  const sizes: number[] = [];
  generateRoomName((below) => {
    sizes.push(below);
    return 0;
  });
  const bits = sizes.reduce((sum, size) => sum + Math.log2(size), 0);
  expect(bits).toBeGreaterThan(36);
});
