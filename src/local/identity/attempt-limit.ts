import { LRUCache } from 'lru-cache';

/** Number of failures of an account before it has to wait. */
const FREE_FAILURES = 5;
const FIRST_WAIT_MS = 2_000;
const LONGEST_WAIT_MS = 60_000;
/** An account without attempts is forgotten after this time. */
const FORGET_AFTER_MS = 15 * 60_000;
const MOST_ACCOUNTS = 10_000;

interface Failures {
  count: number;
  last_at: number;
}

export interface AttemptLimit {
  /** Milliseconds that this account still has to wait; 0 where it may try. */
  waitMs(account: string): number;
  failed(account: string): void;
  succeeded(account: string): void;
}

/**
 * Slows down guessing of one account's password: after five failures each further one doubles the wait, up to a
 * minute, so that a stranger can delay the owner but not lock them out. Unknown accounts are counted alike, so that
 * the answer does not tell which exist. Kept in memory: a restart forgives.
 */
export const createAttemptLimit = ({ now = Date.now }: { now?: () => number } = {}): AttemptLimit => {
  const accounts = new LRUCache<string, Failures>({ max: MOST_ACCOUNTS });

  const find = (account: string): Failures | undefined => {
    const failures = accounts.get(account);
    return failures !== undefined && now() - failures.last_at < FORGET_AFTER_MS ? failures : undefined;
  };

  return {
    waitMs(account) {
      const failures = find(account);
      if (failures === undefined || failures.count < FREE_FAILURES) return 0;
      const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures.count - FREE_FAILURES));
      return Math.max(0, failures.last_at + wait - now());
    },
    failed(account) {
      const count = (find(account)?.count ?? 0) + 1;
      accounts.set(account, { count, last_at: now() });
    },
    succeeded(account) {
      accounts.delete(account);
    },
  };
};
