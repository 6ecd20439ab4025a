/** Follows the pictures of a video: whether it still loads, plays, or stands still, and since when. Pure. */

/** A picture that has not changed for this long is marked: a change of layer takes less. */
export const FROZEN_AFTER_MS = 1_800;

/** What is known of a video. */
export interface Picture {
  /** Frames presented so far. */
  frames: number;
  /** Time of the last new one. */
  changedMs: number;
}

/** Returns what is known after another reading. */
export function updatePicture(before: Picture | null, frames: number, nowMs: number): Picture {
  return before && before.frames === frames ? before : { frames, changedMs: nowMs };
}

/** Returns for how many seconds a picture has stood still; 0 while it moves or has not come yet. */
export function frozenSeconds({ frames, changedMs }: Picture, nowMs: number): number {
  const stillMs = nowMs - changedMs;
  return frames > 0 && stillMs >= FROZEN_AFTER_MS ? Math.round(stillMs / 1_000) : 0;
}
