export interface KeyedQueue {
  /** Runs `work` once all earlier work for the same key has ended, successfully or not. */
  run<T>(key: string, work: () => Promise<T>): Promise<T>;
  /** Resolves when the queue is empty. */
  idle(): Promise<void>;
}

/** Runs work one after the other per key, and concurrently for different keys. */
export const createKeyedQueue = (): KeyedQueue => {
  const lastOf = new Map<string, Promise<unknown>>();

  const run = <T>(key: string, work: () => Promise<T>): Promise<T> => {
    const before = lastOf.get(key);
    const running = before === undefined ? work() : before.then(work);
    const settled: Promise<unknown> = running
      .catch(() => undefined)
      .then(() => {
        if (lastOf.get(key) === settled) lastOf.delete(key);
      });
    lastOf.set(key, settled);
    return running;
  };

  return {
    run,
    async idle() {
      while (lastOf.size > 0) await Promise.all(lastOf.values());
    },
  };
};
