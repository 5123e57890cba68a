import type { ClientBase, Pool } from 'pg';
import type { Logger } from 'pino';
import type { Position, RecordedEvent } from '../../events/event.ts';
import { eventSize } from '../../events/event-size.ts';
import type { EventId } from '../../events/ids.ts';
import type { Log } from '../../ports/log.ts';
import { assertLease, holdLease, type Lease } from '../../postgres/lease.ts';
import { inTransaction, isDataError } from '../../postgres/transaction.ts';
import { killPoint } from '../../resilience/kill-point.ts';
import { createThrottle } from '../../resilience/throttle.ts';
import type { Process } from '../process.ts';
import { mayConcern } from './delivery.ts';
import { loadCheckpoint, moveCheckpoint, type ReadUpTo } from './instances.ts';
import { markFirst } from './intent-queue.ts';
import { reportHandlerFailure } from './operations.ts';
import { READER } from './progress.ts';
import { takeEvents } from './reactions.ts';

export interface ReaderOptions {
  log: Log;
  pool: Pool;
  processes: readonly Process[];
  logger: Logger;
  /** Unique to this run of this operating system process. */
  owner: string;
  /** Called whenever this reader takes over, before it reads on. */
  onTakeOver(): Promise<void>;
  /** Called after a commit that stored intents. */
  onIntents(): void;
}

const BATCH = 500;
const BATCH_BYTES = 16 * 1024 * 1024;
/** Short, because after a crash no event is read before the lease has run out. */
const LEASE_MS = 5000;
/** How long the checkpoint may lag, in milliseconds, while no process manager follows the new events. */
const IDLE_COMMIT_MS = 1000;

/**
 * Reads the log for all process managers. Only the holder of the lease reads. State, intents, timers and checkpoint of a
 * batch are one transaction, fenced by the lease's token: a reader that was paused and has lost the lease cannot write.
 */
export const createReader = (options: ReaderOptions) => {
  const { log, pool, processes, logger, owner, onTakeOver, onIntents } = options;
  const throttled = createThrottle();

  const commit = async (
    lease: Lease,
    events: readonly RecordedEvent[],
    move: { from: Position | null; to: ReadUpTo },
  ): Promise<void> => {
    const take = (guarded: boolean) => async (client: ClientBase) => {
      await assertLease(client, lease);
      const result = await takeEvents(client, processes, events, { guarded });
      await moveCheckpoint(client, READER, move);
      killPoint('reader: batch taken, not committed');
      return result;
    };
    // Not durable: a crash of the database server loses the batch together with its checkpoint. The same events then make
    // the same intents under the same keys, and the log recognises by their command ids those that were performed already.
    const taken = await inTransaction(pool, take(false), { durable: false }).catch((error: unknown) => {
      if (!isDataError(error)) throw error;
      return inTransaction(pool, take(true), { durable: false });
    });
    for (const handlerFailure of taken.handlerFailures) reportHandlerFailure(logger, handlerFailure);
    killPoint('reader: batch committed');
    await markFirst(pool, taken.waiting);
    if (taken.intents > 0) onIntents();
  };

  const read = async (lease: Lease, signal: AbortSignal): Promise<void> => {
    await onTakeOver();
    const checkpoint = await loadCheckpoint(pool, READER);
    let committed: Position | null = checkpoint?.position ?? null;
    let committedAt = performance.now();
    let batch: RecordedEvent[] = [];
    let bytes = 0;
    const isFull = () => batch.length >= BATCH || bytes >= BATCH_BYTES;
    /** The position of events that no process manager follows, and that only move the checkpoint. */
    let idle: ReadUpTo | null = null;
    let storing: Promise<void> = Promise.resolve();
    const flush = async (position: Position | null, event_id: EventId | null) => {
      if (position === null || position === committed) return;
      const to = { position, event_id };
      // A batch that no process manager follows only moves the checkpoint. Reading it again after a crash is harmless.
      const isIdle = !isFull() && !batch.some((event) => mayConcern(processes, event));
      if (isIdle && performance.now() - committedAt < IDLE_COMMIT_MS) {
        idle = to;
        return;
      }
      // An earlier position must not be stored after this one.
      await storing;
      idle = null;
      await commit(lease, batch, { from: committed, to });
      batch = [];
      bytes = 0;
      committed = position;
      committedAt = performance.now();
    };
    // Without it, the checkpoint would stay behind the head until the next event, as if the reader had stopped.
    const storeIdle = () => {
      const to = idle;
      if (to === null) return;
      idle = null;
      // Not reported: the next attempt follows, and the reader itself notices a lost lease.
      storing = storing
        .then(() => commit(lease, [], { from: committed, to }))
        .then(() => {
          committed = to.position;
        })
        .catch(() => {
          idle ??= to;
        });
    };
    const timer = setInterval(storeIdle, IDLE_COMMIT_MS);
    try {
      const after = checkpoint?.position ?? 'start';
      const after_id = checkpoint?.event_id ?? undefined;
      for await (const item of log.subscribe({ after, after_id, live: true, signal })) {
        if ('caughtUp' in item) await flush(item.position, item.event_id ?? null);
        else {
          batch.push(item);
          bytes += eventSize(item);
          if (isFull()) await flush(item.position, item.id);
        }
      }
    } finally {
      clearInterval(timer);
    }
  };

  return {
    /** Ends when `signal` aborts. */
    run: (signal: AbortSignal): Promise<void> =>
      holdLease({
        pool,
        name: 'processes',
        owner,
        ttl_ms: LEASE_MS,
        signal,
        work: read,
        onError: (error) =>
          throttled(() => logger.warn({ err: error }, 'processes: reading the log is interrupted; trying again')),
      }),
  };
};
