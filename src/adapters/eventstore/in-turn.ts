export interface InTurn {
  /** Runs `work` once everything that came before it for the same key is done, however that ended. */
  run<T>(key: string, work: () => Promise<T>): Promise<T>;
  /** Resolves when nothing is left to do. */
  idle(): Promise<void>;
}

/** Things that must happen one after the other within a key, and side by side otherwise. */
export const createInTurn = (): InTurn => {
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
