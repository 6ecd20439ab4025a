/** Chooses the spatial layer of a video by the size at which it is shown. Pure. */

/** Heights of the best layer that are usual for one, two and three layers; see `encodings.ts`. */
const USUAL_HEIGHTS = [180, 360, 720];

/** Share of its height up to which a layer looks sharp. The lowest has few bits for each pixel. */
const LOWEST_SHARP = 0.72;
const SHARP = 1.12;

/**
 * Videos that are shown at a time from which the lowest layer is enough up to a little more than its own height: nobody
 * looks at one of so many for long, and the next layer of all would take four times the bitrate and the time to decode.
 */
export const MANY_VIDEOS = 10;
const LOWEST_SHARP_AMONG_MANY = 1.15;

/**
 * Returns the lowest of `layers` layers that looks sharp at this height in device pixels, among this number of videos.
 * Each has half the height of the next; `fullHeight` is that of the best one, null where it is not known.
 */
export function spatialLayerFor(shownHeight: number, layers: number, fullHeight: number | null, videos: number): number {
  const lowestSharp = videos >= MANY_VIDEOS ? LOWEST_SHARP_AMONG_MANY : LOWEST_SHARP;
  const best = layers - 1;
  const full = fullHeight ?? USUAL_HEIGHTS[Math.min(best, USUAL_HEIGHTS.length - 1)] ?? 720;
  for (let layer = 0; layer < best; layer += 1) {
    const height = full / 2 ** (best - layer);
    if (shownHeight <= height * (layer === 0 ? lowestSharp : SHARP)) return layer;
  }
  return best;
}
