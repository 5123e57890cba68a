export interface KeyedQueue {
  /** Runs `work` once all earlier work for the same key has ended, successfully or not. */
  run<T>(key: string, work: () => Promise<T>): Promise<T>;
  /** How much work for the key has not ended yet. */
  size(key: string): number;
  /** Resolves when the queue is empty. */
  idle(): Promise<void>;
}

/** Runs work one after the other per key, and concurrently for different keys. */
export const createKeyedQueue = (): KeyedQueue => {
  const lastOf = new Map<string, Promise<unknown>>();
  const sizeOf = new Map<string, number>();

  const leave = (key: string): void => {
    const left = (sizeOf.get(key) ?? 0) - 1;
    if (left > 0) sizeOf.set(key, left);
    else sizeOf.delete(key);
  };

  const run = <T>(key: string, work: () => Promise<T>): Promise<T> => {
    sizeOf.set(key, (sizeOf.get(key) ?? 0) + 1);
    const before = lastOf.get(key);
    const running = before === undefined ? work() : before.then(work);
    const settled: Promise<unknown> = running
      .catch(() => undefined)
      .then(() => {
        leave(key);
        if (lastOf.get(key) === settled) lastOf.delete(key);
      });
    lastOf.set(key, settled);
    return running;
  };

  return {
    run,
    size: (key) => sizeOf.get(key) ?? 0,
    async idle() {
      while (lastOf.size > 0) await Promise.all(lastOf.values());
    },
  };
};
