import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import type { Closable } from '../../ports/closable.ts';
import type { Log } from '../../ports/log.ts';
import type { LogFence } from '../../ports/log-fence.ts';
import { holdLease, LeaseLost, underLease } from '../../postgres/lease.ts';
import { waitForRetry } from '../../resilience/backoff.ts';
import { createOutage } from '../../resilience/outage.ts';
import { createThrottle, type Throttle } from '../../resilience/throttle.ts';
import { readModelCatalog } from '../catalog.ts';
import type { ReadModel } from '../read-model.ts';
import { CheckpointMoved, readCheckpoints, registerReadModels } from './checkpoint.ts';
import type { LaneDependencies } from './lane.ts';
import { createLiveLane, type LiveLane } from './live-lane.ts';
import { buildLeaseOf, leaseOf, type ProjectionStatus, readStatus } from './operations.ts';
import { retryFromNewerVersion } from './parked.ts';
import { buildTable, findDueBuilds } from './rebuild.ts';

const BACKOFF = { first_ms: 100, longest_ms: 5000 };

export interface ProjectionRunnerOptions {
  log: Log;
  /** While it is closed nothing is built. Absent where the log cannot be behind. */
  fence?: Pick<LogFence, 'assertOpen'>;
  /** Postgres, migrated. Needs about four connections. */
  pool: Pool;
  /** Unique per run of a process. */
  owner: string;
  logger: Logger;
  projections?: readonly ReadModel[];
  /**
   * Maximum number of events per transaction. While catching up, twice as many events make less than twice as many
   * rows.
   */
  batch_size?: number;
  /** Milliseconds after which another process takes over from a crashed one. */
  lease_ttl_ms?: number;
  /** Milliseconds between polls for requested rebuilds. */
  rebuild_poll_ms?: number;
}

export interface ProjectionRunner extends Closable {
  status(): Promise<ProjectionStatus[]>;
}

interface Running extends LaneDependencies {
  models: readonly ReadModel[];
  owner: string;
  lease_ttl_ms: number;
  rebuild_poll_ms: number;
  fence: Pick<LogFence, 'assertOpen'> | undefined;
  signal: AbortSignal;
  /** Limits the log to one line, since an outage affects all read models, and each retries again and again. */
  throttled: Throttle;
}

const isHandover = (error: unknown): boolean => error instanceof LeaseLost || error instanceof CheckpointMoved;

const keepLive = async (
  { pool, log, models, logger, owner, lease_ttl_ms, signal, throttled }: Running,
  lane: LiveLane,
  model: ReadModel,
) => {
  await holdLease({
    pool,
    name: leaseOf(model.name),
    owner,
    ttl_ms: lease_ttl_ms,
    signal,
    work: async (lease, held) => {
      const [checkpoint] = await readCheckpoints(pool, 'projections', [model.name]);
      // The rows are of another version of the code; this version's table is built beside it and swapped in.
      if (checkpoint?.version !== model.version) return;
      // Runs under the lease, so that an older version can no longer park further events.
      await retryFromNewerVersion({ pool, log, models }, model.name);
      await lane.join(model, lease, held);
    },
    onError: (error) => {
      const about = { err: error, projection: model.name };
      if (isHandover(error)) logger.info(about, 'the lease of a read model is released');
      else throttled(() => logger.warn(about, 'the leases of read models are released: they are retried'));
    },
  });
};

const buildUnderLease = async (running: Running, model: ReadModel): Promise<void> => {
  const { pool, owner, lease_ttl_ms, logger, signal } = running;
  try {
    // If another process is building it, there is nothing to do.
    await underLease({
      pool,
      name: buildLeaseOf(model.name),
      owner,
      ttl_ms: lease_ttl_ms,
      signal,
      work: (lease, held) => buildTable(running, { model, lease, signal: held }),
    });
  } catch (error) {
    logger.warn({ err: error, projection: model.name }, 'building a read model failed: it is resumed later');
  }
};

/** Builds one at a time, since a build uses as much of the log and the database as it can get. */
const keepBuilding = async (running: Running): Promise<void> => {
  const { pool, models, logger, rebuild_poll_ms, fence, signal, throttled } = running;
  while (!signal.aborted) {
    try {
      fence?.assertOpen();
      for (const model of await findDueBuilds(pool, models)) {
        if (!signal.aborted) await buildUnderLease(running, model);
      }
    } catch (error) {
      throttled(() => logger.warn({ err: error }, 'the requested rebuilds cannot be read: retrying'));
    }
    await delay(rebuild_poll_ms, undefined, { signal }).catch(() => undefined);
  }
};

const register = async ({ pool, models, logger, signal }: Running): Promise<void> => {
  const outage = createOutage({
    logger,
    failing: (err) => ({ message: 'the read models cannot be registered: retrying', fields: { err } }),
    working: 'the read models are registered',
  });
  for (let failures = 1; !signal.aborted; failures += 1) {
    try {
      await registerReadModels(pool, models);
      return outage.ok();
    } catch (error) {
      outage.failed(error);
      await waitForRetry(failures, BACKOFF, signal);
    }
  }
};

/**
 * Keeps the read models up to date, from now on. Any number of processes may run it: each read model is handled by the
 * process that holds its lease, and by another one when that ends or crashes. `close` finishes the current transaction
 * and releases the leases.
 */
export const createProjectionRunner = (options: ProjectionRunnerOptions): ProjectionRunner => {
  const { log, pool, owner, logger, projections: models = readModelCatalog } = options;
  const { batch_size = 5000, lease_ttl_ms = 10_000, rebuild_poll_ms = 1000 } = options;
  const closing = new AbortController();
  const running: Running = {
    log,
    pool,
    owner,
    logger,
    models,
    batch_size,
    lease_ttl_ms,
    rebuild_poll_ms,
    fence: options.fence,
    signal: closing.signal,
    throttled: createThrottle(),
  };

  const run = async (): Promise<void> => {
    await register(running);
    const lane = createLiveLane(running);
    await Promise.all([...models.map((model) => keepLive(running, lane, model)), keepBuilding(running)]);
  };

  const ended = run();
  return {
    status: () => readStatus(pool),
    close: async () => {
      closing.abort();
      await ended;
    },
  };
};
