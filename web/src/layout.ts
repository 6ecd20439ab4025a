/**
 * Where the tiles go: a number of people and a viewport in, rectangles out.
 * Pure; imports nothing. The order of the rectangles is the order of the people,
 * so that nobody changes place unless the shape of the grid does.
 */

export interface Size {
  width: number;
  height: number;
}

export interface Rect extends Size {
  x: number;
  y: number;
}

export interface Arrangement {
  /** One rectangle per other person, in their order. */
  others: Rect[];
  /** The viewer's own tile. */
  self: Rect;
  /** Whether the own tile lies on top of the other person's. */
  floating: boolean;
}

/** Tiles are never wider than a camera picture … */
const WIDEST = 16 / 9;
/** … nor narrower than this, or a wide picture would lose most of itself to cropping. */
const NARROWEST = 4 / 5;
/** A single tile may be as narrow as an upright phone: one face still fits. */
const NARROWEST_ALONE = 1 / 2;

const SELF_SHARE = 0.2;
const SELF_WIDTH_MIN = 104;
const SELF_WIDTH_MAX = 264;

/**
 * The arrangement for `others` people and the viewer. Alone, the viewer fills
 * the stage; with one other person the own tile floats in a corner of theirs;
 * from three people on it is the first tile of the grid.
 */
export function arrange(others: number, viewport: Size, gap: number): Arrangement {
  const [first, ...rest] = grid(others === 1 ? 1 : others + 1, viewport, gap);
  const stage = first ?? { x: 0, y: 0, width: 0, height: 0 };
  if (others === 1) {
    return { others: [stage], self: corner(stage, viewport, gap), floating: true };
  }
  return { others: rest, self: stage, floating: false };
}

/**
 * The grid of `count` equal tiles whose pictures come out largest. Short last
 * rows are centred, and so is the whole block.
 */
export function grid(count: number, viewport: Size, gap: number): Rect[] {
  if (count < 1) return [];
  let best = cells(1, count, viewport, gap);
  for (let columns = 2; columns <= count; columns += 1) {
    const next = cells(columns, count, viewport, gap);
    if (next.score > best.score) best = next;
  }
  const { columns, rows, tile } = best;
  const top = (viewport.height - span(rows, tile.height, gap)) / 2;
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = row === rows - 1 ? count - row * columns : columns;
    const left = (viewport.width - span(inRow, tile.width, gap)) / 2;
    return {
      x: Math.round(left + (index % columns) * (tile.width + gap)),
      y: Math.round(top + row * (tile.height + gap)),
      width: Math.floor(tile.width),
      height: Math.floor(tile.height),
    };
  });
}

/** The lowest of a camera's three pictures (a quarter, half and all of its size) that fits a tile. */
export type Layer = 0 | 1 | 2;

/** Up to these heights in device pixels the quarter (180 lines of 720) and the half (360) still look sharp enough. */
const QUARTER_HEIGHT_MAX = 130;
const HALF_HEIGHT_MAX = 400;

export function layerFor(height: number): Layer {
  if (height <= QUARTER_HEIGHT_MAX) return 0;
  return height <= HALF_HEIGHT_MAX ? 1 : 2;
}

interface Cells {
  columns: number;
  rows: number;
  tile: Size;
  score: number;
}

function cells(columns: number, count: number, viewport: Size, gap: number): Cells {
  const rows = Math.ceil(count / columns);
  const width = Math.max(0, (viewport.width - gap * (columns - 1)) / columns);
  const height = Math.max(0, (viewport.height - gap * (rows - 1)) / rows);
  const tile = {
    width: Math.min(width, height * WIDEST),
    height: Math.min(height, width / (count === 1 ? NARROWEST_ALONE : NARROWEST)),
  };
  // A landscape viewport shows whole pictures; on an upright phone faces matter
  // more than the picture's sides, so there the largest square decides.
  const wanted = viewport.width >= viewport.height ? WIDEST : 1;
  const picture = Math.min(tile.width, tile.height * wanted);
  return { columns, rows, tile, score: picture };
}

function span(count: number, size: number, gap: number): number {
  return count * size + Math.max(0, count - 1) * gap;
}

/** The floating own tile: bottom right, upright when the viewport is. */
function corner(stage: Rect, viewport: Size, gap: number): Rect {
  const upright = viewport.height > viewport.width;
  const width = Math.round(Math.min(SELF_WIDTH_MAX, Math.max(SELF_WIDTH_MIN, stage.width * SELF_SHARE)));
  const height = Math.round(upright ? (width * 4) / 3 : width / WIDEST);
  return {
    x: stage.x + stage.width - width - gap,
    y: stage.y + stage.height - height - gap,
    width,
    height,
  };
}
