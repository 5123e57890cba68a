import { setTimeout as delay } from 'node:timers/promises';

export interface BackoffPolicy {
  /** The upper bound of the pause after the first failure. */
  first_ms: number;
  /** No pause is longer. */
  longest_ms: number;
}

/**
 * Milliseconds until the next attempt after `failures` in a row, at least 1. The upper bound doubles with each failure;
 * the pause is between half and all of it, so that those that failed together do not retry together.
 */
export const backoff = (
  failures: number,
  { first_ms, longest_ms }: BackoffPolicy,
  random: () => number = Math.random,
): number => Math.round(Math.min(longest_ms, first_ms * 2 ** (failures - 1)) * (0.5 + random() / 2));

/** Waits for as long as `backoff` says, or until `signal` aborts; never rejects. */
export const waitForRetry = async (failures: number, policy: BackoffPolicy, signal?: AbortSignal): Promise<void> => {
  await delay(backoff(failures, policy), undefined, signal ? { signal } : {}).catch(() => undefined);
};
