import { setTimeout as sleep } from 'node:timers/promises';
import { SystemUnusable } from '../errors.ts';
import { createOutage } from '../resilience/outage.ts';
import type { Logger } from '../telemetry.ts';

const POLL_MS = 500;
const REMIND_MS = 10_000;

/** Opens a system, and retries while it is not available yet. */
export type RetryUntilAvailable = <T>(open: () => Promise<T>) => Promise<T>;

interface RetryOptions {
  timeout_ms: number;
  logger: Logger;
  signal?: AbortSignal | undefined;
}

/**
 * Lets a start wait for systems that do not answer yet, since all parts of an installation may be started at once, in
 * any order. `timeout_ms` bounds the waiting for all systems together. Throws the last `SystemUnusable`, which names
 * the settings to look at: at once where waiting cannot help (a wrong password), else after the time-out or when
 * `signal` aborts.
 */
export const createRetryUntilAvailable = ({ timeout_ms, logger, signal }: RetryOptions): RetryUntilAvailable => {
  const giveUpAt = performance.now() + timeout_ms;

  return async (open) => {
    const outage = createOutage<SystemUnusable>({
      logger,
      failing: ({ message, cause, settings }) => ({
        message: `waiting: ${message}`,
        fields: { err: cause, settings },
      }),
      working: 'the system that was waited for is available',
      repeat_ms: REMIND_MS,
    });
    for (;;) {
      try {
        const opened = await open();
        outage.ok();
        return opened;
      } catch (error) {
        const isOver = performance.now() >= giveUpAt || signal?.aborted;
        if (!(error instanceof SystemUnusable) || !error.transient || isOver) throw error;
        outage.failed(error);
        await sleep(POLL_MS, undefined, signal ? { signal } : {}).catch(() => undefined);
      }
    }
  };
};
