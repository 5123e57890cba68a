import type { Pool } from 'pg';
import type { Logger } from 'pino';
import type { Log, LogFilter, SubscribeOptions } from '../../ports/log.ts';
import { isDataError } from '../../postgres/transaction.ts';
import { waitForRetry } from '../../resilience/backoff.ts';
import type { ReadModel } from '../read-model.ts';
import { type Batch, batches } from './batches.ts';
import type { CheckpointTable, Writer } from './checkpoint.ts';
import { PoisonEvent, writeBatch } from './write-batch.ts';

/** Attempts of a batch with a failing event, before its stream is parked. */
const MAX_ATTEMPTS = 3;
const BACKOFF = { first_ms: 50, longest_ms: 100 };
const LINGER_MS = 10;

export interface LaneDependencies {
  pool: Pool;
  log: Log;
  logger: Logger;
  /** Maximum number of events per transaction. */
  batch_size: number;
}

export interface LaneOptions {
  checkpoints: CheckpointTable;
  /** With false, ends once it has caught up. */
  live: boolean;
  signal: AbortSignal;
}

/** The earliest checkpoint of the writers; one that is ahead skips what it already has. */
const startOf = (writers: readonly Writer[]): Pick<SubscribeOptions, 'after' | 'after_id'> => {
  const places = writers.flatMap(({ checkpoint: { position, event_id } }) =>
    position === null ? [] : [{ after: position, after_id: event_id ?? undefined }],
  );
  const [earliest] = places.toSorted((a, b) => (a.after < b.after ? -1 : 1));
  return earliest === undefined || places.length < writers.length ? { after: 'start' } : earliest;
};

const filterFor = (models: readonly ReadModel[]): LogFilter => {
  const prefixes = models.map(({ streamPrefix }) => streamPrefix);
  return prefixes.includes(null) ? {} : { streamPrefixes: prefixes.filter((prefix) => prefix !== null) };
};

const movedTo = (writer: Writer, { position, event_id }: Batch): Writer => {
  const { checkpoint } = writer;
  if (position === null || (checkpoint.position !== null && checkpoint.position >= position)) return writer;
  return { ...writer, checkpoint: { ...checkpoint, position, event_id } };
};

const writeUntilParked = async (
  { pool, logger }: LaneDependencies,
  writing: { writers: readonly Writer[]; batch: Batch },
  { checkpoints, signal }: LaneOptions,
): Promise<void> => {
  for (let attempt = 1; ; attempt += 1) {
    const parking = attempt === MAX_ATTEMPTS;
    try {
      const parked = await writeBatch(pool, writing, { checkpoints, attempt, parking });
      for (const { event, error } of parked) {
        const { stream, position, type } = event;
        logger.error(
          { err: error, stream, position, type },
          'a read model cannot handle an event: its stream is parked',
        );
      }
      return;
    } catch (error) {
      const poison = error instanceof PoisonEvent || isDataError(error);
      if (!poison || parking) throw error;
      await waitForRetry(attempt, BACKOFF, signal);
      signal.throwIfAborted();
    }
  }
};

/**
 * Keeps tables up to date from one subscription to the log, with one transaction per batch. Several read models share
 * it, so that each event is read once, and an append costs one small transaction instead of one per read model. Throws
 * errors that it cannot retry: `LeaseLost`, `CheckpointMoved`, a lost connection.
 */
export const runLane = async (
  dependencies: LaneDependencies,
  writers: readonly Writer[],
  options: LaneOptions,
): Promise<readonly Writer[]> => {
  const { log, batch_size } = dependencies;
  const ending = new AbortController();
  const signal = AbortSignal.any([options.signal, ending.signal]);
  const source = log.subscribe({
    ...startOf(writers),
    filter: filterFor(writers.map(({ table }) => table.model)),
    live: options.live,
    signal,
  });
  let current = writers;
  try {
    for await (const batch of batches(source, { max: batch_size, linger_ms: LINGER_MS })) {
      if (signal.aborted) break;
      const next = current.map((writer) => movedTo(writer, batch));
      const moved = next.some((writer, index) => writer !== current[index]);
      // There are no events since the last checkpoint.
      if (moved) await writeUntilParked(dependencies, { writers: current, batch }, options);
      current = next;
    }
  } finally {
    ending.abort();
  }
  return current;
};
