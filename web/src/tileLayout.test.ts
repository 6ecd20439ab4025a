/** Tile layout at common viewport sizes. */
import { describe, expect, test } from 'vitest';
import { layoutGrid, layoutStage, mirrorLayout, type PlacedTile, type Rect, type Size, type StageContents } from './tileLayout';

const desktop: Size = { width: 1400, height: 760 };
const phone: Size = { width: 374, height: 690 };
const flatPhone: Size = { width: 828, height: 282 };

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

/** Lays out so many other people, and the own tile unless it is hidden. */
function stage(others: number, viewport: Size, more: Partial<StageContents> = {}) {
  const keys = Array.from({ length: others }, (_, index) => `person ${index}`);
  return layoutStage({ keys, own: 'own', main: null, page: 0, ...more }, viewport, 8);
}

const rectOf = (tiles: PlacedTile[], key: string): Rect => {
  const tile = tiles.find((it) => it.key === key);
  if (!tile) throw new Error(`${key} has no tile`);
  return tile.rect;
};

const slides = { key: 'slides', isScreen: true };

test('the own tile fills the viewport when alone', () => {
  const { tiles, pages } = stage(0, desktop);
  expect(tiles).toEqual([{ key: 'own', rect: layoutGrid(1, desktop, 8)[0], floating: false }]);
  expect(pages).toBe(1);
});

test('the own tile floats inside the only other tile', () => {
  for (const viewport of [desktop, phone]) {
    const { tiles } = stage(1, viewport);
    const [other, self] = [rectOf(tiles, 'person 0'), rectOf(tiles, 'own')];
    expect(tiles.map(({ floating }) => floating)).toEqual([false, true]);
    expect(overlap(self, other)).toBe(true);
    expect(self.x + self.width).toBeLessThan(other.x + other.width);
    expect(self.height > self.width).toBe(viewport === phone);
  }
});

test('the own tile is the last of each page, and may be hidden', () => {
  for (const others of [2, 5, 40]) {
    expect(stage(others, desktop).tiles.at(-1)?.key).toBe('own');
    expect(stage(others, desktop, { page: 1 }).tiles.at(-1)?.key).toBe('own');
    expect(stage(others, desktop, { own: null }).tiles.some(({ key }) => key === 'own')).toBe(false);
  }
});

describe.each([
  ['a desktop', desktop, 220],
  ['a phone', phone, 160],
  ['a phone on its side', flatPhone, 160],
])('on %s', (_name, viewport, widthMin) => {
  test.each([4, 9, 24, 49, 200])('%i people are on pages of tiles in which faces can be read', (others) => {
    const seen: string[] = [];
    const { pages } = stage(others, viewport);
    for (let page = 0; page < pages; page += 1) {
      const { tiles, pager } = stage(others, viewport, { page });
      expect(tiles.length).toBeLessThanOrEqual(25);
      for (const { key, rect } of tiles) {
        if (key !== 'own') seen.push(key);
        expect(rect.width).toBeGreaterThanOrEqual(widthMin);
        expect(rect.height).toBeGreaterThanOrEqual(90);
        if (pager) expect(overlap(rect, pager)).toBe(false);
      }
      expect(pager === null).toBe(pages === 1);
    }
    expect(seen).toEqual(Array.from({ length: others }, (_, index) => `person ${index}`));
  });

  test.each([0, 1, 2, 5, 30])('a shared screen beside %i people is the largest tile, and covers none', (others) => {
    const { tiles } = stage(others, viewport, { main: slides });
    const screen = rectOf(tiles, 'slides');
    for (const { key, rect, floating } of tiles) {
      if (key === 'slides' || floating) continue;
      expect(overlap(screen, rect)).toBe(false);
      expect(rect.width * rect.height).toBeLessThan(screen.width * screen.height);
      expect(rect.width).toBeGreaterThanOrEqual(110);
      expect(rect.y + rect.height).toBeLessThanOrEqual(viewport.height + 1);
      expect(rect.x + rect.width).toBeLessThanOrEqual(viewport.width + 1);
    }
  });
});

test('a page that does not exist any more is the last one', () => {
  expect(stage(60, desktop, { page: 99 })).toEqual(stage(60, desktop, { page: stage(60, desktop).pages - 1 }));
});

test('all tiles stay where they are while pages are turned', () => {
  const places = (page: number) => stage(100, desktop, { page }).tiles.map(({ rect }) => rect);
  expect(places(0)).toEqual(places(1));
});

test('a viewport without size gives tiles without size', () => {
  for (const tile of layoutGrid(5, { width: 0, height: 0 }, 8)) expect(tile.width).toBe(0);
});

test('in a mirror, the strip and the own tile are on the other side', () => {
  const layout = layoutStage({ keys: ['ana', 'ben'], own: 'own', main: { key: 'screen', isScreen: true }, page: 0 }, desktop, 12);
  const mirrored = mirrorLayout(layout, desktop.width);
  const rectOf = ({ tiles }: typeof layout, key: string) => tiles.find((tile) => tile.key === key)?.rect;
  expect(rectOf(layout, 'screen')?.x).toBe(0);
  expect(rectOf(mirrored, 'ana')?.x).toBe(0);
  for (const { key, rect } of mirrored.tiles) {
    expect(rect.x + rect.width / 2).toBe(desktop.width - ((rectOf(layout, key)?.x ?? NaN) + rect.width / 2));
  }
});
