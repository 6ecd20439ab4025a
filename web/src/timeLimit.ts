/** Waiting for some time, and for work at most so long. */

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Returns the result of `work`, and rejects when that takes longer than `ms`. The work itself goes on. */
export function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const limit = sleep(ms).then((): never => {
    throw new Error(`not done within ${ms} ms`);
  });
  return Promise.race([work, limit]);
}
