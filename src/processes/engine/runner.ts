import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import type { Closable } from '../../ports/closable.ts';
import type { Log } from '../../ports/log.ts';
import type { ProcessOperations } from '../../ports/process-operations.ts';
import { createOutage } from '../../resilience/outage.ts';
import type { Process } from '../process.ts';
import { createDispatcher } from './dispatcher.ts';
import { createProcessOperations } from './operations.ts';
import { createPerformer, type PerformOptions } from './perform.ts';
import { keepPruned } from './prune.ts';
import { createReader } from './reader.ts';

export interface ProcessRunnerOptions extends PerformOptions {
  log: Log;
  pool: Pool;
  processes: readonly Process[];
  logger: Logger;
  /** Unique to this run of this operating system process; the lease and the claims carry it. */
  owner: string;
  /** Milliseconds after which other dispatchers take over the intents of one that died. */
  claim_ms?: number;
  poll_ms?: number;
}

export interface ProcessRunner extends Closable, ProcessOperations {}

const PARKED_POLL_MS = 1000;

/**
 * Runs the process managers. One runner, which holds the lease, reads the log; all runners perform intents. All times are
 * the database's, so runners on several machines agree about what is due.
 */
export const createProcessRunner = (options: ProcessRunnerOptions): ProcessRunner => {
  const { pool, logger, owner, log, processes } = options;
  const closing = new AbortController();
  const { signal } = closing;
  const dispatcher = createDispatcher({
    pool,
    logger,
    owner,
    performer: createPerformer(options),
    ...(options.claim_ms === undefined ? {} : { claim_ms: options.claim_ms }),
    ...(options.poll_ms === undefined ? {} : { poll_ms: options.poll_ms }),
  });
  const { retryDue, retryFromNewerVersion, ...operations } = createProcessOperations({
    pool,
    processes,
    logger,
    onIntents: dispatcher.wake,
  });
  const reader = createReader({
    log,
    pool,
    processes,
    logger,
    owner,
    // Holding the reader's lease: an older version that read before cannot park any more of them.
    onTakeOver: retryFromNewerVersion,
    onIntents: dispatcher.wake,
  });

  const outage = createOutage({
    logger,
    failing: (err) => ({ message: 'processes: cannot retry parked instances', fields: { err } }),
    working: 'processes: parked instances are retried again',
  });
  const keepRetrying = async (): Promise<void> => {
    while (!signal.aborted) {
      await delay(PARKED_POLL_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await retryDue().then(() => outage.ok(), outage.failed);
    }
  };

  const running = Promise.all([
    reader.run(signal),
    dispatcher.run(signal),
    keepRetrying(),
    keepPruned({ pool, logger, signal }),
  ]);

  return {
    ...operations,
    async close() {
      closing.abort();
      await running;
    },
  };
};
