import { setTimeout as delay } from 'node:timers/promises';
import pTimeout from 'p-timeout';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { backoff, waitForRetry } from '../../resilience/backoff.ts';
import { killPoint } from '../../resilience/kill-point.ts';
import { createOutage } from '../../resilience/outage.ts';
import { createFinisher } from './finisher.ts';
import {
  type ClaimedIntent,
  claimIntents,
  type Lane,
  markAllFirst,
  parkIntent,
  postponeIntent,
  releaseClaims,
  renewClaims,
} from './intent-queue.ts';
import { type Attempt, FEW_ATTEMPTS, type Performer } from './perform.ts';
import { fireDueTimers } from './timers.ts';

export interface DispatcherOptions {
  pool: Pool;
  performer: Performer;
  logger: Logger;
  owner: string;
  /** Milliseconds after which a claim that is not renewed runs out. */
  claim_ms?: number;
  /** Milliseconds between two polls of the queue; `wake` polls at once. */
  poll_ms?: number;
  /** The longest pause, in milliseconds, between two polls while the database is away: due intents should not wait longer. */
  longest_pause_ms?: number;
  /** The number of intents that are performed at the same time. */
  concurrency?: number;
}

/** A command has no `give_up_at`. While the log is away it is attempted this often, which takes about a day. */
const COMMAND_ATTEMPTS = 3000;

/** Of an intent that failed. */
const BACKOFF = { first_ms: 250, longest_ms: 30_000 };

/** Runs `work` unless it was done less than `ms` milliseconds ago. */
const atMostEvery = (ms: number, work: () => Promise<void>) => {
  let done = Number.NEGATIVE_INFINITY;
  return async (): Promise<void> => {
    const now = performance.now();
    if (now - done < ms) return;
    await work();
    done = now;
  };
};

/** How long closing waits for the intents that are being performed. */
const CLOSING_MS = 3000;

/**
 * Performs intents. Any number of dispatchers may run, in any number of processes:
 *
 *     waiting -> due -> claimed -> done
 *                 ^        |--(failed)--> waiting (back-off)        -> given up, told to the workflow
 *                 |        |--(fails again and again)--> parked until an operator retries, changes or skips it
 *                 |        '--(holder died: the claim runs out)--> due
 */
export const createDispatcher = ({
  pool,
  performer,
  logger,
  owner,
  claim_ms = 10_000,
  poll_ms = 500,
  longest_pause_ms = 5000,
  concurrency = 16,
}: DispatcherOptions) => {
  const finisher = createFinisher(pool);
  const working = new Map<string, Promise<void>>();
  /** The lanes in which an intent has ended since the last claim. */
  let ended: Lane[] = [];
  const outage = createOutage({
    logger,
    failing: (err) => ({ message: 'processes: cannot claim intents; trying again', fields: { err } }),
    working: 'processes: intents are claimed again',
  });
  let wakeUp = Promise.withResolvers<void>();
  const wake = (): void => {
    wakeUp.resolve();
  };

  const isUsedUp = (intent: ClaimedIntent, attempt: Extract<Attempt, { again: string }>): boolean => {
    const attempts = intent.attempts + 1;
    if (attempt.retryable === 'a-few-times') return attempts >= FEW_ATTEMPTS;
    return intent.give_up_at === null && attempts >= COMMAND_ATTEMPTS;
  };

  const giveUp = async (intent: ClaimedIntent): Promise<void> => {
    const where = { process: intent.process, instance_id: intent.instance_id, intent: performer.nameOf(intent) };
    try {
      await performer.giveUp(intent);
    } catch (error) {
      if (intent.attempts < COMMAND_ATTEMPTS) {
        logger.warn({ ...where, err: error }, 'processes: cannot record in the workflow that an intent was given up');
        await postponeIntent(pool, intent.id, {
          error: intent.last_error ?? 'given up',
          delay_ms: backoff(Math.max(1, intent.attempts), BACKOFF),
        });
        return;
      }
    }
    logger.warn({ ...where, attempts: intent.attempts, last_error: intent.last_error }, 'processes: given up');
    await finisher.finish(intent.id, 'given-up');
  };

  const park = async (intent: ClaimedIntent & { last_error: string }): Promise<void> => {
    const { process, instance_id, attempts, last_error } = intent;
    const where = { process, instance_id, intent: performer.nameOf(intent), attempts };
    await parkIntent(pool, intent.id, last_error);
    logger.error({ ...where, last_error }, 'processes: an intent keeps failing; it is parked');
  };

  const perform = async (intent: ClaimedIntent): Promise<void> => {
    if (intent.expired) return giveUp(intent);
    const attempt = await performer.attempt(intent);
    killPoint('dispatcher: attempt made, not stored');
    if ('done' in attempt) {
      await finisher.finish(intent.id, attempt.done);
      killPoint('dispatcher: attempt stored');
      return;
    }
    const failed = { ...intent, attempts: intent.attempts + 1, last_error: attempt.again };
    if (isUsedUp(intent, attempt)) return park(failed);
    return postponeIntent(pool, intent.id, { error: attempt.again, delay_ms: backoff(failed.attempts, BACKOFF) });
  };

  const start = (intent: ClaimedIntent): void => {
    const work = perform(intent)
      .catch((error) =>
        logger.warn(
          { err: error, intent: intent.id },
          'processes: cannot store the outcome of an intent; it is performed again when its claim runs out',
        ),
      )
      .finally(() => {
        working.delete(intent.id);
        // The next intent of the same instance may be due now.
        ended.push(intent);
        wake();
      });
    working.set(intent.id, work);
  };

  const claim = async (): Promise<number> => {
    const limit = concurrency - working.size;
    if (limit <= 0) return 0;
    const lanes = ended;
    ended = [];
    const claimed = await claimIntents(pool, { owner, limit, claim_ms, ended: lanes }).catch((error) => {
      ended.push(...lanes);
      throw error;
    });
    if (claimed.length > 0) killPoint('dispatcher: intents claimed');
    claimed.forEach(start);
    return claimed.length;
  };

  const keepClaims = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      await delay(claim_ms / 3, undefined, { signal }).catch(() => undefined);
      const ids = [...working.keys()];
      if (ids.length === 0) continue;
      await renewClaims(pool, { owner, ids, claim_ms }).catch((error) =>
        logger.warn({ err: error }, 'processes: cannot renew claims'),
      );
    }
  };

  /** Until `wake` is called, the next poll is due, or `signal` aborts. */
  const untilWoken = async (signal: AbortSignal): Promise<void> => {
    const milliseconds = poll_ms * (0.75 + Math.random() / 2);
    await pTimeout(wakeUp.promise, { milliseconds, message: false, signal }).catch(() => undefined);
  };

  const dispatch = async (signal: AbortSignal): Promise<void> => {
    let failures = 0;
    // Not at each call of `wake`, of which a busy dispatcher gets hundreds a second.
    const fireTimers = atMostEvery(poll_ms / 2, async () => {
      const fired = await fireDueTimers(pool);
      if (fired > 0) killPoint('dispatcher: timers fired');
    });
    const findFirst = atMostEvery(claim_ms / 2, () => markAllFirst(pool));
    while (!signal.aborted) {
      wakeUp = Promise.withResolvers<void>();
      try {
        await fireTimers();
        await findFirst();
        await claim();
        failures = 0;
        outage.ok();
      } catch (error) {
        failures += 1;
        outage.failed(error);
      }
      if (failures > 0) await waitForRetry(failures, { ...BACKOFF, longest_ms: longest_pause_ms }, signal);
      else await untilWoken(signal);
    }
  };

  return {
    /** Polls the queue now, because there may be new intents. */
    wake,
    /** Ends when `signal` aborts and the intents that are being performed have ended, or after `CLOSING_MS`. */
    async run(signal: AbortSignal): Promise<void> {
      const keeping = new AbortController();
      const kept = keepClaims(keeping.signal);
      await dispatch(signal);
      // Closing does not wait for a slow service: the next dispatcher performs again what is interrupted here.
      await pTimeout(Promise.all(working.values()), { milliseconds: CLOSING_MS, message: false });
      keeping.abort();
      await kept;
      await releaseClaims(pool, owner).catch(() => undefined);
    },
  };
};
