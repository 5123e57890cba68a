import { backoff } from '../resilience/backoff.ts';

const PAUSE = { first_ms: 30_000, longest_ms: 900_000 };

/**
 * Seconds after which what could not be repaired is tried again. Without chance, which `decide` does not have: each repair
 * fails at its own time.
 */
export const repairPauseSeconds = (attempt: number): number => backoff(attempt, PAUSE, () => 1) / 1000;
