import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { Logger } from 'pino';

/** Done intents and states of ended instances are kept this long, for investigations. */
const KEEP_DAYS = 7;
const BATCH = 1000;
/** The bound of one round; the next round deletes the rest. */
const MAX_BATCHES = 100;
const ROUND_MS = 3_600_000;
/** The delay of the first round, since the start is busy enough. */
const FIRST_ROUND_MS = 60_000;

type Queryable = Pick<Pool, 'query'>;

/**
 * Deletes intents that were performed long ago. A replay from the start of the log does not store them again, although
 * their keys are gone: each instance stores the position of its last event in the same transaction as its intents, and
 * ignores all events up to that position.
 */
const pruneIntents = async (client: Queryable): Promise<number> => {
  const { rowCount } = await client.query(
    `delete from process_intents where id in (
       select id from process_intents where done_at < now() - $1 * interval '1 day'
       order by done_at limit $2 for update skip locked
     )`,
    [KEEP_DAYS, BATCH],
  );
  return rowCount ?? 0;
};

/**
 * Clears the states of instances that ended long ago. The rows stay, about 100 bytes each, because a replay recognises an
 * ended instance by its row. Without it the event that began a deployment would begin it again.
 */
const pruneStates = async (client: Queryable): Promise<number> => {
  const { rowCount } = await client.query(
    `update process_instances set state = null where (process, instance_id) in (
       select process, instance_id from process_instances
       where ended_at < now() - $1 * interval '1 day' and state is not null and parked_at is null
       order by ended_at limit $2 for update skip locked
     )`,
    [KEEP_DAYS, BATCH],
  );
  return rowCount ?? 0;
};

const inBatches = async (prune: () => Promise<number>, signal: AbortSignal): Promise<number> => {
  let all = 0;
  for (let batch = 0; batch < MAX_BATCHES && !signal.aborted; batch += 1) {
    const pruned = await prune();
    all += pruned;
    if (pruned < BATCH) break;
  }
  return all;
};

/** Removes what the processes no longer need, in small transactions. Any number of these may run at the same time. */
export const prune = async (
  client: Queryable,
  signal: AbortSignal = new AbortController().signal,
): Promise<{ intents: number; states: number }> => ({
  intents: await inBatches(() => pruneIntents(client), signal),
  states: await inBatches(() => pruneStates(client), signal),
});

/** Prunes once an hour until `signal` aborts. */
export const keepPruned = async ({ pool, logger, signal }: { pool: Pool; logger: Logger; signal: AbortSignal }) => {
  let pause = FIRST_ROUND_MS;
  while (!signal.aborted) {
    await delay(pause, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    pause = ROUND_MS;
    await prune(pool, signal).then(
      (pruned) => logger.debug(pruned, 'processes: pruned'),
      (error) => logger.warn({ err: error }, 'processes: cannot prune; trying again in an hour'),
    );
  }
};
