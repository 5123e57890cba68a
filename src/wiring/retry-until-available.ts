import { setTimeout as sleep } from 'node:timers/promises';
import { SystemUnusable } from '../errors.ts';
import type { Logger } from '../telemetry.ts';

const LOOK_AGAIN_MS = 500;
const REMIND_MS = 10_000;

/** Opens something, again and again while only time is missing. */
export type RetryUntilAvailable = <T>(open: () => Promise<T>) => Promise<T>;

interface RetryOptions {
  timeout_ms: number;
  logger: Logger;
  signal?: AbortSignal | undefined;
}

/**
 * A start waits for systems that nobody answers for yet: everything of an installation may be started at once, in any
 * order. What waiting does not help (a wrong password) is thrown at once, and what takes longer than `timeout_ms` in all,
 * as the `SystemUnusable` that names the settings, and so when `signal` aborts.
 */
export const createRetryUntilAvailable = ({ timeout_ms, logger, signal }: RetryOptions): RetryUntilAvailable => {
  const giveUpAt = performance.now() + timeout_ms;

  return async (open) => {
    let remindAt = 0;
    for (;;) {
      try {
        return await open();
      } catch (error) {
        const now = performance.now();
        if (!(error instanceof SystemUnusable) || !error.passing || now >= giveUpAt || signal?.aborted) throw error;
        if (now >= remindAt) {
          logger.warn({ err: error.cause, settings: error.settings }, `waiting: ${error.message}`);
          remindAt = now + REMIND_MS;
        }
        await sleep(LOOK_AGAIN_MS, undefined, signal ? { signal } : {}).catch(() => undefined);
      }
    }
  };
};
