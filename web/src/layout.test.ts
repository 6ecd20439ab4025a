/** Where tiles go, at the sizes people have. */
import { describe, expect, test } from 'vitest';
import { arrange, grid, layerFor, type Rect, type Size } from './layout';

const desktop: Size = { width: 1400, height: 760 };
const phone: Size = { width: 374, height: 690 };

function overlap(a: Rect, b: Rect): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

describe.each([
  ['a desktop', desktop],
  ['a phone', phone],
  ['a strip', { width: 1200, height: 200 }],
])('on %s', (_name, viewport) => {
  test.each([1, 2, 3, 4, 5, 7, 12, 25, 49])('%i tiles lie inside the viewport and apart', (count) => {
    const tiles = grid(count, viewport, 8);
    expect(tiles).toHaveLength(count);
    for (const [index, tile] of tiles.entries()) {
      expect(tile.width).toBeGreaterThan(0);
      expect(tile.x).toBeGreaterThanOrEqual(0);
      expect(tile.y).toBeGreaterThanOrEqual(0);
      expect(tile.x + tile.width).toBeLessThanOrEqual(viewport.width + 1);
      expect(tile.y + tile.height).toBeLessThanOrEqual(viewport.height + 1);
      for (const other of tiles.slice(index + 1)) expect(overlap(tile, other)).toBe(false);
    }
  });
});

test('nobody there needs no tiles', () => {
  expect(grid(0, desktop, 8)).toEqual([]);
});

test('four people on a desktop stand two by two', () => {
  const [a, b, c] = grid(4, desktop, 8);
  expect(a?.y).toBe(b?.y);
  expect(a?.x).toBe(c?.x);
});

test('three people on an upright phone stand in one column', () => {
  const tiles = grid(3, phone, 8);
  expect(new Set(tiles.map(({ x }) => x)).size).toBe(1);
});

test('a short last row is centred', () => {
  const [first, , last] = grid(3, desktop, 8);
  expect(last && last.x + last.width / 2).toBeCloseTo(desktop.width / 2, 0);
  expect(first && first.x + first.width).toBeLessThan(desktop.width / 2);
});

test('no tile is wider than a camera picture', () => {
  for (const tile of grid(1, { width: 3000, height: 400 }, 8)) expect(tile.width / tile.height).toBeLessThan(1.79);
});

test('alone, the own tile is the stage', () => {
  const { self, others, floating } = arrange(0, desktop, 8);
  expect(others).toEqual([]);
  expect(floating).toBe(false);
  expect(self).toEqual(grid(1, desktop, 8)[0]);
});

test('with one other person the own tile floats inside theirs', () => {
  for (const viewport of [desktop, phone]) {
    const { self, others, floating } = arrange(1, viewport, 8);
    const [other] = others;
    expect(floating).toBe(true);
    expect(other && overlap(self, other)).toBe(true);
    expect(other && self.x + self.width).toBeLessThan(other ? other.x + other.width : 0);
    expect(self.height > self.width).toBe(viewport === phone);
  }
});

test('from three people on the own tile is the first of the grid', () => {
  const { self, others } = arrange(4, desktop, 8);
  expect([self, ...others]).toEqual(grid(5, desktop, 8));
});

test('a small tile asks for a small picture', () => {
  expect([90, 130, 131, 400, 401, 1080].map(layerFor)).toEqual([0, 0, 1, 1, 2, 2]);
});

test('a viewport without size gives tiles without size and no failure', () => {
  for (const tile of grid(5, { width: 0, height: 0 }, 8)) expect(tile.width).toBe(0);
});
