/**
 * Runs what it is given, but not again within `every_ms`: one line a request would bury everything else. For failures whose
 * end nobody sees; where a success shows it, see `outage.ts`.
 */
export type Throttle = (say: () => void) => void;

/** How often a failure is told that many requests share. */
const EVERY_MS = 30_000;

export const createThrottle = (options: { every_ms?: number; now?: () => number } = {}): Throttle => {
  const { every_ms = EVERY_MS, now = Date.now } = options;
  let saidAt = Number.NEGATIVE_INFINITY;
  return (say) => {
    if (now() - saidAt < every_ms) return;
    saidAt = now();
    say();
  };
};
