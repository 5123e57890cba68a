/** Writes that come within this time go out together: one system call for each client. */
const CORK_MS = 20;
/** On a quiet stream a frame waits only so long for others of the same moment. */
const SETTLE_MS = 2;

export interface Cork {
  /** Flushes soon. */
  pull(): void;
  /** Whatever was to be flushed is not. */
  stop(): void;
}

/** Calls `flush` a moment after `pull`, at most once in 20 ms. */
export const createCork = (flush: () => void): Cork => {
  let timer: NodeJS.Timeout | undefined;
  let flushedAt = Number.NEGATIVE_INFINITY;
  const run = (): void => {
    timer = undefined;
    flushedAt = performance.now();
    flush();
  };
  return {
    pull: () => {
      timer ??= setTimeout(run, Math.max(SETTLE_MS, flushedAt + CORK_MS - performance.now()));
    },
    stop: () => {
      clearTimeout(timer);
      timer = undefined;
    },
  };
};
