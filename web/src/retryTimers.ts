/**
 * Repeats work that failed for as long as it is wanted: after a second at first, then
 * less and less often, and never not at all. Does not know what the work is.
 */
const RETRY_MS_FIRST = 1_000;
const RETRY_MS_MAX = 30_000;

/** Returns the delay before repetition number `attempt`, counted from 0. Half of it is random. */
export function retryMs(attempt: number, random: number): number {
  const full = Math.min(RETRY_MS_MAX, RETRY_MS_FIRST * 2 ** attempt);
  return Math.round(full / 2 + (full / 2) * random);
}

interface Retry {
  /** Repetitions scheduled so far. */
  attempts: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

export class RetryTimers {
  private readonly byKey = new Map<string, Retry>();

  constructor(private readonly random: () => number = Math.random) {}

  /** Runs `work` later; the delay grows until `settle`. Returns whether this is the first failure. */
  schedule(key: string, work: () => void): boolean {
    const retry = this.byKey.get(key) ?? { attempts: 0, timer: undefined };
    this.byKey.set(key, retry);
    clearTimeout(retry.timer);
    retry.timer = setTimeout(work, retryMs(retry.attempts, this.random()));
    retry.attempts += 1;
    return retry.attempts === 1;
  }

  /** Ends the repetitions of work that succeeded or is not wanted any more. */
  settle(key: string): void {
    clearTimeout(this.byKey.get(key)?.timer);
    this.byKey.delete(key);
  }

  /** Ends all repetitions. */
  clear(): void {
    for (const key of [...this.byKey.keys()]) this.settle(key);
  }
}
