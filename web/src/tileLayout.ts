/**
 * Computes the rectangles of the tiles: a grid in pages, or one large tile with the others in a strip. Pure. Tiles
 * keep the order in which they are given; a tile is never so small that a face in it cannot be read.
 */

export interface Size {
  width: number;
  height: number;
}

export interface Rect extends Size {
  x: number;
  y: number;
}

/** A tile and its place. */
export interface PlacedTile {
  key: string;
  rect: Rect;
  /** Whether it lies on top of another one. */
  floating: boolean;
}

export interface StageLayout {
  tiles: PlacedTile[];
  /** Page that is shown, from 0, and number of pages. */
  page: number;
  pages: number;
  /** Place of the buttons that turn pages; null with one page. */
  pager: Rect | null;
}

/** What is to be laid out. */
export interface StageContents {
  /** Keys of all tiles but the own one and the large one, in their order. */
  keys: readonly string[];
  /** Key of the own tile, which is the last one of each page; null when it is hidden. */
  own: string | null;
  /** The large tile; null for a grid. */
  main: { key: string; isScreen: boolean } | null;
  page: number;
}

/** How tiles are arranged in an area: as many as fit, each at its place. */
interface Arrangement {
  capacity(area: Size): number;
  place(count: number, area: Size): Rect[];
}

/** Tiles are never wider than a camera picture. */
const ASPECT_MAX = 16 / 9;
/** In a narrower tile, cropping would remove most of a wide picture. */
const ASPECT_MIN = 4 / 5;
/** A single tile may be as narrow as an upright phone: one face still fits. */
const ASPECT_MIN_SINGLE = 1 / 2;

/** A viewport is small, as that of a phone, when its shorter side is below this. */
const SMALL_SIDE_MAX = 600;
/** Smallest tiles of a grid in which faces can be read. A phone is held closer. */
const TILE_MIN: Size = { width: 256, height: 144 };
const TILE_MIN_SMALL: Size = { width: 160, height: 100 };
/** More videos at a time take a device to its limits. */
const PAGE_TILES_MAX = 25;
/** Height of the buttons that turn pages. */
const PAGER_HEIGHT = 44;
const PAGER_WIDTH = 148;

const SELF_SHARE = 0.2;
const SELF_WIDTH_MIN = 144;
const SELF_WIDTH_MIN_UPRIGHT = 104;
const SELF_WIDTH_MAX = 264;

/** Width of the strip beside the large tile, as a share of the viewport's and in pixels. */
const STRIP_SHARE = 0.18;
const STRIP_WIDTH_MIN = 160;
const STRIP_WIDTH_MAX = 260;
/** Tiles side by side in the strip of an upright viewport. */
const STRIP_COLUMNS = 3;
/** Height of a shared screen as a share of its width, in an upright viewport: 16:10 fits most. */
const SCREEN_HEIGHT_SHARE = 10 / 16;
/** Height of the name below a shared screen; see `tiles.css`. */
const SCREEN_NAME_HEIGHT = 34;
/** What is left of an upright viewport for a shared screen at most. */
const SCREEN_SHARE_MAX = 0.6;

/** Lays out all tiles of a page. */
export function layoutStage(contents: StageContents, viewport: Size, gap: number): StageLayout {
  const { keys, own, main } = contents;
  const [only] = keys;
  if (main && keys.length === 0) return layoutPair(main.key, own, viewport, gap);
  if (main) return layoutWithStrip(contents, main, viewport, gap);
  if (only !== undefined && keys.length === 1) return layoutPair(only, own, viewport, gap);
  return layoutPages(contents, wholeOf(viewport), gap, readableGrid(viewport, gap));
}

/** Returns a layout as it is in a mirror, for languages that are written from right to left. */
export function mirrorLayout<Layout extends StageLayout>(layout: Layout, width: number): Layout {
  const mirror = (rect: Rect): Rect => ({ ...rect, x: width - rect.x - rect.width });
  const tiles = layout.tiles.map((tile) => ({ ...tile, rect: mirror(tile.rect) }));
  return { ...layout, tiles, pager: layout.pager && mirror(layout.pager) };
}

/** One tile over the whole viewport, and the own tile in a corner of it. */
function layoutPair(key: string, own: string | null, viewport: Size, gap: number): StageLayout {
  const [rect = wholeOf(viewport)] = layoutGrid(1, viewport, gap);
  const tiles: PlacedTile[] = [{ key, rect, floating: false }];
  if (own !== null) tiles.push({ key: own, rect: cornerTile(rect, viewport, gap), floating: true });
  return { tiles, page: 0, pages: 1, pager: null };
}

function layoutWithStrip(contents: StageContents, main: { key: string; isScreen: boolean }, viewport: Size, gap: number): StageLayout {
  const { stage, strip } = divide(main.isScreen, viewport, gap);
  const isUpright = viewport.height > viewport.width;
  const layout = layoutPages(contents, strip, gap, isUpright && main.isScreen ? readableGrid(strip, gap) : stripOf(gap));
  return { ...layout, tiles: [{ key: main.key, rect: stage, floating: false }, ...layout.tiles] };
}

/** Divides the viewport between the large tile and the strip, which is at the side, or below in an upright one. */
function divide(isScreen: boolean, viewport: Size, gap: number): { stage: Rect; strip: Rect } {
  const { width, height } = viewport;
  if (width >= height) {
    const strip = Math.round(clamp(width * STRIP_SHARE, STRIP_WIDTH_MIN, STRIP_WIDTH_MAX));
    const left = Math.max(0, width - strip - gap);
    return {
      stage: { x: 0, y: 0, width: left, height },
      strip: { x: left + gap, y: 0, width: strip, height },
    };
  }
  const row = (width - gap * (STRIP_COLUMNS - 1)) / STRIP_COLUMNS;
  const screen = Math.min(width * SCREEN_HEIGHT_SHARE + SCREEN_NAME_HEIGHT, height * SCREEN_SHARE_MAX);
  const top = Math.round(Math.max(0, isScreen ? screen : height - row - gap - PAGER_HEIGHT));
  const y = top + gap;
  return {
    stage: { x: 0, y: 0, width, height: top },
    strip: { x: 0, y, width, height: Math.max(0, height - y) },
  };
}

/**
 * Distributes the tiles over pages. Each page ends with the own tile. Where there are several pages, the buttons
 * that turn them get a place below the tiles.
 */
function layoutPages(
  { keys, own, page }: StageContents,
  area: Rect,
  gap: number,
  { capacity, place }: Arrangement,
): StageLayout {
  const ownTiles = own === null ? [] : [own];
  if (keys.length + ownTiles.length <= capacity(area)) {
    return { tiles: placeAt([...keys, ...ownTiles], area, place), page: 0, pages: 1, pager: null };
  }
  const { width } = area;
  const height = Math.max(0, area.height - PAGER_HEIGHT);
  const perPage = Math.max(1, capacity({ width, height }) - ownTiles.length);
  const pages = Math.ceil(keys.length / perPage);
  const shown = clamp(page, 0, pages - 1);
  const onPage = keys.slice(shown * perPage, (shown + 1) * perPage);
  const pager: Rect = {
    x: Math.round(area.x + Math.max(0, width - PAGER_WIDTH) / 2),
    y: area.y + height + gap / 2,
    width: Math.min(PAGER_WIDTH, width),
    height: PAGER_HEIGHT - gap / 2,
  };
  return { tiles: placeAt([...onPage, ...ownTiles], { ...area, height }, place), page: shown, pages, pager };
}

function placeAt(keys: readonly string[], area: Rect, place: Arrangement['place']): PlacedTile[] {
  const rects = place(keys.length, area);
  return keys.flatMap((key, index) => {
    const rect = rects[index];
    return rect ? { key, rect: { ...rect, x: rect.x + area.x, y: rect.y + area.y }, floating: false } : [];
  });
}

/** Returns the arrangement of tiles of a readable size in a grid. */
function readableGrid(viewport: Size, gap: number): Arrangement {
  const min = Math.min(viewport.width, viewport.height) < SMALL_SIDE_MAX ? TILE_MIN_SMALL : TILE_MIN;
  const columnsOf = ({ width }: Size) => Math.max(1, Math.floor((width + gap) / (min.width + gap)));
  const rowsOf = ({ height }: Size) => Math.max(1, Math.floor((height + gap) / (min.height + gap)));
  return {
    capacity: (area) => clamp(columnsOf(area) * rowsOf(area), 2, PAGE_TILES_MAX),
    place: (count, area) => layoutGrid(count, area, gap, columnsOf(area)),
  };
}

function stripOf(gap: number): Arrangement {
  return {
    capacity: (area) => stripCapacity(area, gap),
    place: (count, area) => layoutStrip(count, area, gap),
  };
}

/**
 * Returns the grid of `count` equal tiles with the largest pictures, in at most `columnsMax` columns. A short last
 * row is centred, and so is the whole grid.
 */
export function layoutGrid(count: number, viewport: Size, gap: number, columnsMax = count): Rect[] {
  if (count < 1) return [];
  let best = gridCandidate(1, count, viewport, gap);
  for (let columns = 2; columns <= Math.min(count, columnsMax); columns += 1) {
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

/** Returns how many tiles a strip has: a column of camera pictures, or a row of squares. */
function stripCapacity({ width, height }: Size, gap: number): number {
  if (width > height) return STRIP_COLUMNS;
  return Math.max(2, Math.floor((height + gap) / (width / ASPECT_MAX + gap)));
}

function layoutStrip(count: number, area: Size, gap: number): Rect[] {
  const { width, height } = area;
  if (width > height) {
    const side = Math.floor(Math.min(height, (width - gap * (STRIP_COLUMNS - 1)) / STRIP_COLUMNS));
    const left = (width - spanOf(count, side, gap)) / 2;
    return Array.from({ length: count }, (_, index) => ({
      x: Math.round(left + index * (side + gap)),
      y: 0,
      width: side,
      height: side,
    }));
  }
  const tileHeight = Math.floor(Math.min(width / ASPECT_MAX, Math.max(0, height - gap * (count - 1)) / count));
  return Array.from({ length: count }, (_, index) => ({ x: 0, y: index * (tileHeight + gap), width, height: tileHeight }));
}

function wholeOf({ width, height }: Size): Rect {
  return { x: 0, y: 0, width, height };
}

function spanOf(count: number, size: number, gap: number): number {
  return count * size + Math.max(0, count - 1) * gap;
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}

/** Returns the floating own tile: bottom right, upright when the viewport is. */
function cornerTile(stage: Rect, viewport: Size, gap: number): Rect {
  const upright = viewport.height > viewport.width;
  const width = Math.round(clamp(stage.width * SELF_SHARE, upright ? SELF_WIDTH_MIN_UPRIGHT : SELF_WIDTH_MIN, SELF_WIDTH_MAX));
  const height = Math.round(upright ? (width * 4) / 3 : width / ASPECT_MAX);
  return {
    x: stage.x + stage.width - width - gap,
    y: stage.y + stage.height - height - gap,
    width,
    height,
  };
}
