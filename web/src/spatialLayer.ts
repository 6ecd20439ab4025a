/** Chooses the spatial layer of a video by the size at which it is shown. Pure. */

/** Heights of the best layer that are usual for one, two and three layers; see `encodings.ts`. */
const USUAL_HEIGHTS = [180, 360, 720];

/** Share of its height up to which a layer looks sharp. The lowest has few bits for each pixel. */
const LOWEST_SHARP = 0.72;
const SHARP = 1.12;

/**
 * Returns the lowest of `layers` layers that looks sharp at this height in device pixels. Each has half the height
 * of the next; `fullHeight` is that of the best one, null where it is not known.
 */
export function spatialLayerFor(shownHeight: number, layers: number, fullHeight: number | null): number {
  const best = layers - 1;
  const full = fullHeight ?? USUAL_HEIGHTS[Math.min(best, USUAL_HEIGHTS.length - 1)] ?? 720;
  for (let layer = 0; layer < best; layer += 1) {
    const height = full / 2 ** (best - layer);
    if (shownHeight <= height * (layer === 0 ? LOWEST_SHARP : SHARP)) return layer;
  }
  return best;
}
