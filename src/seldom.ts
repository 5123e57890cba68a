/** Runs what it is given, but not again within `every_ms`: one line a request would bury everything else. */
export type Seldom = (say: () => void) => void;

/** How often it is told that something is away which many ask for, again and again. */
export const TELL_OUTAGE_MS = 30_000;

export const createSeldom = ({ every_ms, now = Date.now }: { every_ms: number; now?: () => number }): Seldom => {
  let saidAt = Number.NEGATIVE_INFINITY;
  return (say) => {
    if (now() - saidAt < every_ms) return;
    saidAt = now();
    say();
  };
};
