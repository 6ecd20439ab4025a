/** Decides from the times that pictures take whether a device is too slow for another background. Pure. */

/** Longest mean time of a picture, in ms: 15 pictures in a second, the least that looks like motion. */
const PICTURE_MS_MAX = 66;
/** Pictures of which the mean is taken: two to four seconds. The first ones are slow everywhere and are left out. */
const PICTURES = 45;
const PICTURES_SKIPPED = 10;

export class SlownessWatch {
  private skipped = 0;
  private readonly durations: number[] = [];

  /** Records a picture. Returns whether the device is too slow. */
  record(durationMs: number): boolean {
    if (this.skipped < PICTURES_SKIPPED) {
      this.skipped += 1;
      return false;
    }
    this.durations.push(durationMs);
    if (this.durations.length > PICTURES) this.durations.shift();
    if (this.durations.length < PICTURES) return false;
    const sum = this.durations.reduce((total, duration) => total + duration, 0);
    return sum / PICTURES > PICTURE_MS_MAX;
  }
}
