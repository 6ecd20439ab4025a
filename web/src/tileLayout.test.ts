/** Tile layout at common viewport sizes. */
import { describe, expect, test } from 'vitest';
import { layoutTiles, layoutGrid, spatialLayerFor, type Rect, type Size } from './tileLayout';

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
  test.each([1, 2, 3, 4, 5, 7, 12, 25, 49])('%i tiles are inside the viewport and do not overlap', (count) => {
    const tiles = layoutGrid(count, viewport, 8);
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

test('a count of zero gives no tiles', () => {
  expect(layoutGrid(0, desktop, 8)).toEqual([]);
});

test('four tiles on a desktop form two rows of two', () => {
  const [a, b, c] = layoutGrid(4, desktop, 8);
  expect(a?.y).toBe(b?.y);
  expect(a?.x).toBe(c?.x);
});

test('three tiles on an upright phone form one column', () => {
  const tiles = layoutGrid(3, phone, 8);
  expect(new Set(tiles.map(({ x }) => x)).size).toBe(1);
});

test('a short last row is centred', () => {
  const [first, , last] = layoutGrid(3, desktop, 8);
  expect(last && last.x + last.width / 2).toBeCloseTo(desktop.width / 2, 0);
  expect(first && first.x + first.width).toBeLessThan(desktop.width / 2);
});

test('no tile is wider than a camera picture', () => {
  for (const tile of layoutGrid(1, { width: 3000, height: 400 }, 8)) expect(tile.width / tile.height).toBeLessThan(1.79);
});

test('the own tile fills the viewport when alone', () => {
  const { self, others, floating } = layoutTiles(0, desktop, 8);
  expect(others).toEqual([]);
  expect(floating).toBe(false);
  expect(self).toEqual(layoutGrid(1, desktop, 8)[0]);
});

test('the own tile floats inside the only other tile', () => {
  for (const viewport of [desktop, phone]) {
    const { self, others, floating } = layoutTiles(1, viewport, 8);
    const [other] = others;
    expect(floating).toBe(true);
    expect(other && overlap(self, other)).toBe(true);
    expect(other && self.x + self.width).toBeLessThan(other ? other.x + other.width : 0);
    expect(self.height > self.width).toBe(viewport === phone);
  }
});

test('the own tile is the first of the grid with three or more participants', () => {
  const { self, others } = layoutTiles(4, desktop, 8);
  expect([self, ...others]).toEqual(layoutGrid(5, desktop, 8));
});

test('a small tile needs a low layer', () => {
  expect([90, 130, 131, 400, 401, 1080].map(spatialLayerFor)).toEqual([0, 0, 1, 1, 2, 2]);
});

test('a viewport without size gives tiles without size', () => {
  for (const tile of layoutGrid(5, { width: 0, height: 0 }, 8)) expect(tile.width).toBe(0);
});
