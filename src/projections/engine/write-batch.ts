import type { ClientBase, Pool } from 'pg';
import type { RecordedEvent } from '../../events/event.ts';
import { inTransaction, isDataError } from '../../postgres/transaction.ts';
import { killPoint } from '../../resilience/kill-point.ts';
import type { Batch } from './batches.ts';
import { type CheckpointTable, fence, moveCheckpoints, type Writer } from './checkpoint.ts';
import { byStream, type Failure, type Folded, foldStreams } from './fold.ts';
import { addWaiting, findParkedStreams, park } from './parked.ts';
import { loadRows, type Table, upsertRows } from './table.ts';

export interface WriteOptions {
  checkpoints: CheckpointTable;
  /** The number of the attempt, from 1. */
  attempt: number;
  /** With true, failing events are parked; else nothing is written and `PoisonEvent` is thrown. */
  parking: boolean;
}

/** An event that a read model cannot handle. */
export class PoisonEvent extends Error {
  readonly event: RecordedEvent;

  constructor(table: string, { event, error }: Failure) {
    super(`${table} cannot handle ${event.type} at ${event.stream}/${event.revision}`, { cause: error });
    this.name = 'PoisonEvent';
    this.event = event;
  }
}

type Streams = Map<string, readonly RecordedEvent[]>;

const keysOf = ({ model }: Table, streams: Streams): string[] =>
  model.changesRows ? [...streams.values()].flatMap(([first]) => (first ? [model.keyOf(first)] : [])) : [];

const foldInto = async (client: ClientBase, table: Table, streams: Streams): Promise<Folded> => {
  const keys = keysOf(table, streams);
  const loaded = keys.length > 0 ? await loadRows(client, table, keys) : new Map();
  return foldStreams(table.model, loaded, streams);
};

/**
 * Writes each stream by itself behind a savepoint, after a batch has failed, to find the stream that the database
 * refuses.
 */
const writeOneByOne = async (client: ClientBase, table: Table, streams: Streams): Promise<Failure[]> => {
  const failures: Failure[] = [];
  for (const [stream, events] of streams) {
    await client.query('savepoint one_stream');
    try {
      const folded = await foldInto(client, table, new Map([[stream, events]]));
      await upsertRows(client, table, folded.rows);
      failures.push(...folded.failures);
    } catch (error) {
      const [event] = events;
      if (!event || !isDataError(error)) throw error;
      await client.query('rollback to savepoint one_stream');
      failures.push({ event, error, waiting: events.length - 1 });
    }
  }
  return failures;
};

const writeTogether = async (client: ClientBase, table: Table, streams: Streams): Promise<Failure[]> => {
  const { rows, failures } = await foldInto(client, table, streams);
  await upsertRows(client, table, rows);
  return [...failures];
};

/** Removes the parked streams from the batch. Returns how many events of each wait now. */
const setAside = (streams: Streams, parked: ReadonlySet<string> | undefined): Map<string, number> => {
  const waiting = new Map<string, number>();
  for (const stream of parked ?? []) {
    const events = streams.get(stream);
    if (!events) continue;
    waiting.set(stream, events.length);
    streams.delete(stream);
  }
  return waiting;
};

export interface Writing {
  writers: readonly Writer[];
  batch: Batch;
}

const writeTable = async (
  client: ClientBase,
  { table, streams }: { table: Table; streams: Streams },
  { attempt, parking }: WriteOptions,
): Promise<Failure[]> => {
  if (streams.size === 0) return [];
  const failures = await (parking ? writeOneByOne : writeTogether)(client, table, streams);
  const [first] = failures;
  if (first && !parking) throw new PoisonEvent(table.name, first);
  for (const failure of failures) await park(client, table, { ...failure, attempts: attempt });
  return failures;
};

/** Writes a batch inside a transaction: fence, rows, parked events and checkpoints. Returns what was parked. */
export const applyBatch = async (
  client: ClientBase,
  { writers, batch }: Writing,
  options: WriteOptions,
): Promise<Failure[]> => {
  await fence(client, options.checkpoints, writers);
  const tables = writers.map(({ table }) => table);
  const parkedBefore = batch.events.length > 0 ? await findParkedStreams(client, tables) : new Map();
  const parked: Failure[] = [];
  for (const { table, checkpoint } of writers) {
    const { position } = checkpoint;
    const news = batch.events.filter((event) => position === null || event.position > position);
    const streams: Streams = byStream(table.model, news);
    const waiting = setAside(streams, parkedBefore.get(table.name));
    parked.push(...(await writeTable(client, { table, streams }, options)));
    await addWaiting(client, table, waiting);
  }
  await moveCheckpoints(client, options.checkpoints, {
    names: tables.map(({ model }) => model.name),
    position: batch.position,
    event_id: batch.event_id,
  });
  killPoint('projector: batch written, not committed');
  return parked;
};

/** `applyBatch` in its own transaction. */
export const writeBatch = async (pool: Pool, writing: Writing, options: WriteOptions): Promise<Failure[]> => {
  // Not durable, so that it does not wait for the disk: a crash of the server loses the rows together with the
  // checkpoint, and they are written again from the log.
  const parked = await inTransaction(pool, (client) => applyBatch(client, writing, options), { durable: false });
  killPoint('projector: batch committed');
  return parked;
};
