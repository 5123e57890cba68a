/** Runs what it is given, but not again within `every_ms`: one line a request would bury everything else. */
export type Throttle = (say: () => void) => void;

/** How often it is told that something is away which many ask for, again and again. */
const TELL_OUTAGE_MS = 30_000;

/** Without `every_ms`: as seldom as an outage is told. */
export const createThrottle = (options: { every_ms?: number; now?: () => number } = {}): Throttle => {
  const { every_ms = TELL_OUTAGE_MS, now = Date.now } = options;
  let saidAt = Number.NEGATIVE_INFINITY;
  return (say) => {
    if (now() - saidAt < every_ms) return;
    saidAt = now();
    say();
  };
};
