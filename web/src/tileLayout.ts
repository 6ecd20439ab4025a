/**
 * Computes the rectangles of the video tiles from the number of participants and the
 * viewport. Pure. Rectangles are in the order of the participants, so that nobody
 * changes place unless the grid changes its shape.
 */

export interface Size {
  width: number;
  height: number;
}

export interface Rect extends Size {
  x: number;
  y: number;
}

export interface TileLayout {
  /** One rectangle for each other participant, in their order. */
  others: Rect[];
  /** The person's own tile. */
  self: Rect;
  /** Whether the own tile lies on top of the other participant's. */
  floating: boolean;
}

/** Tiles are never wider than a camera picture. */
const ASPECT_MAX = 16 / 9;
/** In a narrower tile, cropping would remove most of a wide picture. */
const ASPECT_MIN = 4 / 5;
/** A single tile may be as narrow as an upright phone: one face still fits. */
const ASPECT_MIN_SINGLE = 1 / 2;

const SELF_SHARE = 0.2;
const SELF_WIDTH_MIN = 104;
const SELF_WIDTH_MAX = 264;

/**
 * Lays out the tiles of `others` participants and the own tile. Alone, the own tile
 * fills the viewport; with one other participant it floats in a corner of theirs;
 * with more, it is the first tile of the grid.
 */
export function layoutTiles(others: number, viewport: Size, gap: number): TileLayout {
  const [first, ...rest] = layoutGrid(others === 1 ? 1 : others + 1, viewport, gap);
  const stage = first ?? { x: 0, y: 0, width: 0, height: 0 };
  if (others === 1) {
    return { others: [stage], self: cornerTile(stage, viewport, gap), floating: true };
  }
  return { others: rest, self: stage, floating: false };
}

/**
 * Returns the grid of `count` equal tiles with the largest pictures. A short last
 * row is centred, and so is the whole grid.
 */
export function layoutGrid(count: number, viewport: Size, gap: number): Rect[] {
  if (count < 1) return [];
  let best = gridCandidate(1, count, viewport, gap);
  for (let columns = 2; columns <= count; columns += 1) {
    const next = gridCandidate(columns, count, viewport, gap);
    if (next.score > best.score) best = next;
  }
  const { columns, rows, tile } = best;
  const top = (viewport.height - spanOf(rows, tile.height, gap)) / 2;
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = row === rows - 1 ? count - row * columns : columns;
    const left = (viewport.width - spanOf(inRow, tile.width, gap)) / 2;
    return {
      x: Math.round(left + (index % columns) * (tile.width + gap)),
      y: Math.round(top + row * (tile.height + gap)),
      width: Math.floor(tile.width),
      height: Math.floor(tile.height),
    };
  });
}

/** Spatial layer of a camera's simulcast: a quarter, half or all of its size. */
export type SpatialLayer = 0 | 1 | 2;

/** Up to these tile heights, in device pixels, layer 0 (180 of 720 lines) and layer 1 (360) look sharp enough. */
const QUARTER_HEIGHT_MAX = 130;
const HALF_HEIGHT_MAX = 400;

/** Returns the lowest layer that looks sharp in a tile of this height in device pixels. */
export function spatialLayerFor(height: number): SpatialLayer {
  if (height <= QUARTER_HEIGHT_MAX) return 0;
  return height <= HALF_HEIGHT_MAX ? 1 : 2;
}

interface GridCandidate {
  columns: number;
  rows: number;
  tile: Size;
  score: number;
}

function gridCandidate(columns: number, count: number, viewport: Size, gap: number): GridCandidate {
  const rows = Math.ceil(count / columns);
  const width = Math.max(0, (viewport.width - gap * (columns - 1)) / columns);
  const height = Math.max(0, (viewport.height - gap * (rows - 1)) / rows);
  const tile = {
    width: Math.min(width, height * ASPECT_MAX),
    height: Math.min(height, width / (count === 1 ? ASPECT_MIN_SINGLE : ASPECT_MIN)),
  };
  // A landscape viewport shows whole pictures. On an upright phone faces matter
  // more than the sides of a picture, so the largest square is best.
  const aspect = viewport.width >= viewport.height ? ASPECT_MAX : 1;
  return { columns, rows, tile, score: Math.min(tile.width, tile.height * aspect) };
}

function spanOf(count: number, size: number, gap: number): number {
  return count * size + Math.max(0, count - 1) * gap;
}

/** Returns the floating own tile: bottom right, upright when the viewport is. */
function cornerTile(stage: Rect, viewport: Size, gap: number): Rect {
  const upright = viewport.height > viewport.width;
  const width = Math.round(Math.min(SELF_WIDTH_MAX, Math.max(SELF_WIDTH_MIN, stage.width * SELF_SHARE)));
  const height = Math.round(upright ? (width * 4) / 3 : width / ASPECT_MAX);
  return {
    x: stage.x + stage.width - width - gap,
    y: stage.y + stage.height - height - gap,
    width,
    height,
  };
}
