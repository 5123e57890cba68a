import type { ClientBase, Pool } from 'pg';
import { notFound, Rejected, rejected } from '../../errors.ts';
import type { Position, RecordedEvent } from '../../events/event.ts';
import { FactFromNewerVersion } from '../../events/fact-from-newer-version.ts';
import { failureText } from '../../failures/failure-text.ts';
import type { Log } from '../../ports/log.ts';
import { inTransaction, isDataError } from '../../postgres/transaction.ts';
import type { ReadModel } from '../read-model.ts';
import { lockCheckpoint } from './checkpoint.ts';
import { type Failure, foldStream } from './fold.ts';
import { loadRows, rowTypes, servingTable, type Table, upsertRows } from './table.ts';

/** A parked stream: the event that a read model could not handle, for operators. */
export interface ParkedEvent {
  id: string;
  projection: string;
  stream: string;
  tenant_id: string;
  position: Position;
  revision: number;
  event_id: string;
  event_type: string;
  error: string;
  attempts: number;
  /** Number of later events of the stream that wait behind this one. */
  waiting: number;
  parked_at: string;
}

const COLUMNS = `id::text, projection, stream, tenant_id, position, revision, event_id, event_type, error, attempts, waiting,
  parked_at`;

const messageOf = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${failureText(error)}` : failureText(error);

export const listParked = async (pool: Pool): Promise<ParkedEvent[]> => {
  const { rows } = await pool.query<ParkedEvent>({
    text: `select ${COLUMNS} from parked_events order by id`,
    types: rowTypes,
  });
  return rows;
};

/** The parked streams, by table. */
export const findParkedStreams = async (
  client: ClientBase,
  tables: readonly Table[],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> => {
  const { rows } = await client.query<{ projection: string; stream: string }>(
    'select projection, stream from parked_events where projection = any($1)',
    [tables.map(({ name }) => name)],
  );
  const streams = Map.groupBy(rows, ({ projection }) => projection);
  return new Map([...streams].map(([table, parked]) => [table, new Set(parked.map(({ stream }) => stream))]));
};

export const park = async (
  client: ClientBase,
  table: Table,
  failure: Failure & { attempts: number },
): Promise<void> => {
  const { event, error, waiting, attempts } = failure;
  await client.query(
    `insert into parked_events
       (projection, stream, tenant_id, position, revision, event_id, event_type, error, attempts, waiting,
        from_newer_version)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
    [
      table.name,
      event.stream,
      event.meta.tenant_id,
      event.position,
      event.revision,
      event.id,
      event.type,
      messageOf(error),
      attempts,
      waiting,
      error instanceof FactFromNewerVersion,
    ],
  );
};

/** Counts further events of streams that are parked already. */
export const addWaiting = async (
  client: ClientBase,
  table: Table,
  waiting: ReadonlyMap<string, number>,
): Promise<void> => {
  if (waiting.size === 0) return;
  await client.query(
    `update parked_events p set waiting = p.waiting + more.count
     from unnest($2::text[], $3::integer[]) as more (stream, count)
     where p.projection = $1 and p.stream = more.stream`,
    [table.name, [...waiting.keys()], [...waiting.values()]],
  );
};

export interface ParkingDependencies {
  pool: Pool;
  log: Log;
  models: readonly ReadModel[];
}

const findParked = async (client: ClientBase, id: string): Promise<ParkedEvent | null> => {
  const { rows } = await client.query<ParkedEvent>({
    text: `select ${COLUMNS} from parked_events where id = $1 for update`,
    values: [id],
    types: rowTypes,
  });
  return rows[0] ?? null;
};

/** The events of the stream, from the parked one up to the read model's checkpoint. */
const eventsBehind = async (
  log: Log,
  { stream, from, upTo }: { stream: string; from: number; upTo: Position | null },
): Promise<RecordedEvent[]> => {
  const events: RecordedEvent[] = [];
  for await (const event of log.readStream(stream, { from })) {
    if (upTo === null || event.position > upTo) break;
    events.push(event);
  }
  return events;
};

/** Applies the stream from `from` on; an event that fails is parked. Returns whether all succeeded. */
const resume = async (
  { pool, log, models }: ParkingDependencies,
  id: string,
  fromOf: (parked: ParkedEvent) => number,
): Promise<{ resumed: boolean }> =>
  inTransaction(pool, async (client) => {
    const { rows: known } = await client.query<{ projection: string }>(
      'select projection from parked_events where id::text = $1',
      [id],
    );
    const [found] = known;
    if (!found) throw notFound('parked-event', id);
    const model = models.find(({ name }) => name === found.projection);
    if (!model) throw rejected('projection-building', `${found.projection} is still being built.`);
    // Locks in the same order as the runner, the checkpoint first, so that no batch of this read model is in progress.
    const checkpoint = await lockCheckpoint(client, model.name);
    const parked = await findParked(client, id);
    if (!checkpoint || !parked) throw notFound('parked-event', id);
    const table = servingTable(model);
    const events = await eventsBehind(log, { stream: parked.stream, from: fromOf(parked), upTo: checkpoint.position });
    const [first] = events;
    const loaded = first && model.changesRows ? await loadRows(client, table, [model.keyOf(first)]) : new Map();
    const { rows, failures } = foldStream(model, loaded, events);
    await upsertRows(client, table, rows);
    await client.query('delete from parked_events where id = $1', [parked.id]);
    for (const failure of failures) await park(client, table, { ...failure, attempts: parked.attempts + 1 });
    return { resumed: failures.length === 0 };
  });

/** An event that the database refuses stays parked, with the new error. */
const resumeOrStay = async (
  dependencies: ParkingDependencies,
  id: string,
  fromOf: (parked: ParkedEvent) => number,
): Promise<{ resumed: boolean }> => {
  try {
    return await resume(dependencies, id, fromOf);
  } catch (error) {
    if (!isDataError(error)) throw error;
    await dependencies.pool.query(
      `update parked_events set attempts = attempts + 1, error = $2, from_newer_version = false where id::text = $1`,
      [id, messageOf(error)],
    );
    return { resumed: false };
  }
};

/** Retries the parked event and those behind it. Throws `Rejected` where there is no such parked event. */
export const retryParked = (dependencies: ParkingDependencies, id: string): Promise<{ resumed: boolean }> =>
  resumeOrStay(dependencies, id, ({ revision }) => revision);

/** Retries the events that an older version parked because it did not know a fact: this version may know it. */
export const retryFromNewerVersion = async (dependencies: ParkingDependencies, projection: string): Promise<void> => {
  const { rows } = await dependencies.pool.query<{ id: string }>(
    'select id::text from parked_events where projection = $1 and from_newer_version order by id',
    [projection],
  );
  for (const { id } of rows) {
    await retryParked(dependencies, id).catch((error) => {
      // An operator has handled it in the meantime.
      if (!(error instanceof Rejected && error.kind === 'not-found')) throw error;
    });
  }
};

/**
 * Skips the parked event for good and applies those behind it. Throws `Rejected` where there is no such parked event.
 */
export const skipParked = (dependencies: ParkingDependencies, id: string): Promise<{ resumed: boolean }> =>
  resumeOrStay(dependencies, id, ({ revision }) => revision + 1);
