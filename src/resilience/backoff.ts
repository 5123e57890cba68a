/**
 * Milliseconds until the next attempt after `attempts` failed ones: exponential from 250 ms up to 30 s, and somewhere
 * between half and all of it, so that those who failed together do not come back together.
 */
export const backoff = (attempts: number, random: () => number = Math.random): number => {
  const longest = Math.min(30_000, 250 * 2 ** Math.max(0, attempts - 1));
  return Math.round(longest * (0.5 + random() / 2));
};
