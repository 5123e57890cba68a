/** Counts in how many rounds in a row something was seen: what a cluster puts right by itself is gone in the next one. */
export const createConfirmation = (rounds: number) => {
  let before = new Map<string, number>();
  let now = new Map<string, number>();
  return {
    /** Notes it for this round; true once it was seen in enough rounds in a row. */
    confirm(key: string): boolean {
      const count = (before.get(key) ?? 0) + 1;
      now.set(key, count);
      return count >= rounds;
    },
    /** What was not seen in this round begins anew. */
    nextRound() {
      before = now;
      now = new Map();
    },
  };
};
export type Confirmation = ReturnType<typeof createConfirmation>;
