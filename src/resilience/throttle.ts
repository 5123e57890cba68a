/**
 * Runs the function, but at most once in `every_ms`: a line for each request would bury all other lines. For failures
 * whose end cannot be observed; where a success shows it, see `outage.ts`.
 */
export type Throttle = (log: () => void) => void;

/** How often a failure that many requests share is logged. */
const EVERY_MS = 30_000;

export const createThrottle = (options: { every_ms?: number; now?: () => number } = {}): Throttle => {
  const { every_ms = EVERY_MS, now = Date.now } = options;
  let lastAt = Number.NEGATIVE_INFINITY;
  return (log) => {
    if (now() - lastAt < every_ms) return;
    lastAt = now();
    log();
  };
};
