/** Resolutions and frame rates that somebody can choose for the camera. Pure. */

export interface CameraQuality {
  /** Ideal width of the picture in pixels; the height follows as 16:9. */
  width: number;
  /** Frames per second. */
  frameRate: number;
}

const WIDTHS = [640, 960, 1_280, 1_920];
export const FRAME_RATES = [15, 30];
export const QUALITY_DEFAULT: CameraQuality = { width: 1_280, frameRate: 30 };

export function heightOf(width: number): number {
  return Math.round((width * 9) / 16);
}

/** Returns the widths that the camera offers, and the chosen one. `widthMax` is null where the browser does not tell it. */
export function offeredWidths(widthMax: number | null, chosen: number): number[] {
  const offered = WIDTHS.filter((width) => width <= (widthMax ?? Infinity));
  return [...new Set([...offered, chosen])].sort((a, b) => a - b);
}

/** Returns the quality with these values, where they are ones to choose from; otherwise the default. */
export function knownQuality(width: unknown, frameRate: unknown): CameraQuality {
  return {
    width: WIDTHS.find((it) => it === width) ?? QUALITY_DEFAULT.width,
    frameRate: FRAME_RATES.find((it) => it === frameRate) ?? QUALITY_DEFAULT.frameRate,
  };
}

/** Returns the width of the largest picture of a camera, whichever way it is held; null where the browser does not tell it. */
export function largestWidth(track: MediaStreamTrack): number | null {
  const { width, height } = track.getCapabilities?.() ?? {};
  return width?.max && height?.max ? Math.max(width.max, height.max) : null;
}
