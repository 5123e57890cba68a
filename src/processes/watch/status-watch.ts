import { setTimeout as delay } from 'node:timers/promises';
import pMap from 'p-map';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { systemCaller } from '../../commands/access.ts';
import type { HandleCommand } from '../../commands/engine/handle.ts';
import { Rejected } from '../../errors.ts';
import { CommandId, newId } from '../../events/ids.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Closable } from '../../ports/closable.ts';
import type { Proofs } from '../../ports/proofs.ts';
import type { ServiceInvoker } from '../../ports/service-invoker.ts';
import { holdLease } from '../../postgres/lease.ts';
import type { ReadModels } from '../../projections/queries/read.ts';
import { createOutage } from '../../resilience/outage.ts';
import { createConfirmation } from './confirmation.ts';
import { createLook } from './look.ts';
import type { Order } from './orders.ts';
import { createRound } from './round.ts';
import { createSilence } from './silence.ts';

export interface StatusWatchOptions {
  pool: Pool;
  readModels: Pick<ReadModels, 'listWatched'>;
  proofs: Proofs;
  handle: HandleCommand;
  invoker: ServiceInvoker;
  clock: Clock;
  logger: Logger;
  owner: string;
  /** The pause between two rounds. */
  interval_ms: number;
  /** A cluster or endpoint that was not heard of for so long is unavailable or unknown. */
  silence_ms: number;
}

const LEASE_MS = 10_000;
const CONCURRENCY = 16;
/** How many rounds in a row must see a difference before it is repaired. */
const CONFIRM_ROUNDS = 2;
const WATCH = { type: 'process', id: 'status-watch', name: 'status-watch' } as const;

/** Sends the commands of a round. What the domain refuses is over by then, and the next round sees it. */
const createPerform =
  ({ handle, logger }: Pick<StatusWatchOptions, 'handle' | 'logger'>) =>
  async (orders: readonly Order[]): Promise<void> => {
    const send = async ({ command, data, tenant_id }: Order) => {
      const command_id = newId(CommandId);
      const caller = systemCaller(tenant_id, WATCH);
      try {
        await handle(command, data, { caller, command_id, correlation_id: command_id });
      } catch (error) {
        if (!(error instanceof Rejected) || error.kind === 'unavailable') throw error;
        logger.debug({ err: error, command: command.type }, 'status watch: refused');
      }
    };
    await pMap(orders, send, { concurrency: CONCURRENCY, stopOnError: false });
  };

const watch = async (options: StatusWatchOptions, signal: AbortSignal): Promise<void> => {
  const { interval_ms, silence_ms, logger } = options;
  const silence = createSilence({ silence_ms, grace_ms: 2 * interval_ms });
  const round = createRound({
    ...options,
    silence,
    // A service that is slow is not silent: it may take as long as any other call, within the silence.
    look: createLook({ invoker: options.invoker, call_timeout_ms: silence_ms / 2 }),
    confirmation: createConfirmation(CONFIRM_ROUNDS),
    perform: createPerform(options),
    now: options.clock,
    concurrency: CONCURRENCY,
  });
  const outage = createOutage({
    logger,
    failing: (err) => ({ message: 'status watch: a round failed; the next one makes it good', fields: { err } }),
    working: 'status watch: goes on',
  });
  let listenedUntil = performance.now();
  while (!signal.aborted) {
    // After a pause that was longer than meant, such as a stopped process, nobody was there to hear anything.
    const late = performance.now() - listenedUntil - 2 * interval_ms;
    if (late > 0) silence.excuse(late);
    const succeeded = await round().then(
      () => true,
      (error) => {
        outage.failed(error);
        return false;
      },
    );
    if (succeeded) {
      outage.ok();
      listenedUntil = performance.now();
    }
    await delay(interval_ms, undefined, { signal }).catch(() => undefined);
  }
};

/**
 * Looks after the clusters and what runs there for as long as the process runs; of several processes one does. Not a process
 * manager: what is asked at every round would only make the log grow. It remembers nothing but when it last heard of each,
 * and the domain decides what follows from that.
 */
export const createStatusWatch = (options: StatusWatchOptions): Closable => {
  const closing = new AbortController();
  const { pool, owner, logger } = options;
  const held = holdLease({
    pool,
    name: 'status-watch',
    owner,
    ttl_ms: LEASE_MS,
    signal: closing.signal,
    work: (_lease, signal) => watch(options, signal),
    onError: (err) => logger.warn({ err }, 'status watch: stopped; this process tries again'),
  });
  return {
    async close() {
      closing.abort();
      await held;
    },
  };
};
