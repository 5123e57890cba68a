/** Runs what it is given, but not again within `every_ms`: one line a request would bury everything else. */
export type Seldom = (say: () => void) => void;

export const createSeldom = ({ every_ms, now = Date.now }: { every_ms: number; now?: () => number }): Seldom => {
  let saidAt = Number.NEGATIVE_INFINITY;
  return (say) => {
    if (now() - saidAt < every_ms) return;
    saidAt = now();
    say();
  };
};
