import type { ClientBase, Pool } from 'pg';
import { notFound } from '../../errors.ts';
import type { Log } from '../../ports/log.ts';
import { assertLease, type Lease } from '../../postgres/lease.ts';
import { inTransaction } from '../../postgres/transaction.ts';
import type { ReadModel } from '../read-model.ts';
import { batches } from './batches.ts';
import { type Checkpoint, fence, lockCheckpoint, readCheckpoints, type Writer } from './checkpoint.ts';
import { type LaneDependencies, runLane } from './lane.ts';
import { buildingTable, servingTable } from './table.ts';
import { applyBatch } from './write-batch.ts';

/*
 * A table is never rebuilt in place:
 *
 *     serving (old)  ------------------------------------------- dropped
 *     building       requested -> filling ------> caught up ---- renamed, serves
 *                                    ^ crash: resumes at its own checkpoint
 *
 * Until the swap, the holder of the read model's own lease keeps the old table up to date; it may run an older version
 * of BudApp. The builder has its own lease, table and checkpoint, so it delays no other process.
 */

export interface BuildRequest {
  model: ReadModel;
  lease: Lease;
  signal: AbortSignal;
}

/**
 * Requests a rebuild, which a process that runs the projections performs. Throws `Rejected` where there is no such read
 * model.
 */
export const requestRebuild = async (pool: Pool, name: string): Promise<void> => {
  const { rowCount } = await pool.query(
    'update projections set rebuild_requested_at = clock_timestamp() where name = $1',
    [name],
  );
  if (rowCount !== 1) throw notFound('projection', name);
};

/** The read models among `models` whose table must be built by this version of the code. */
export const findDueBuilds = async (pool: Pool, models: readonly ReadModel[]): Promise<ReadModel[]> => {
  const { rows } = await pool.query<{ name: string }>(
    `select p.name from projections p
     join unnest($1::text[], $2::integer[]) as ours (name, version) on ours.name = p.name
     left join projection_builds b on b.name = p.name
     where p.version < ours.version
       or (p.version = ours.version and (p.rebuild_requested_at is not null or b.version = ours.version))
     order by p.name`,
    [models.map(({ name }) => name), models.map(({ version }) => version)],
  );
  return models.filter(({ name }) => rows.some((due) => due.name === name));
};

const startOver = async (client: ClientBase, model: ReadModel, generation: number): Promise<void> => {
  const { name } = buildingTable(model);
  const { rows } = await client.query<{ version: number }>('select version from projection_builds where name = $1', [
    model.name,
  ]);
  for (const { version } of rows) await client.query(`drop table if exists ${model.name}__v${version}`);
  await client.query(`drop table if exists ${name}`);
  await client.query(`create table ${name} (like ${servingTable(model).name} including all)`);
  await client.query('delete from parked_events where projection = $1', [name]);
  await client.query(
    `insert into projection_builds (name, version, generation) values ($1, $2, $3)
     on conflict (name) do update
       set version = excluded.version, generation = excluded.generation, position = null, event_id = null`,
    [model.name, model.version, generation],
  );
  await client.query('update projections set rebuild_requested_at = null where name = $1', [model.name]);
};

/** Creates the table, unless an interrupted build can continue. */
const prepare = (pool: Pool, { model, lease }: BuildRequest): Promise<void> =>
  inTransaction(pool, async (client) => {
    await assertLease(client, lease);
    const { rows } = await client.query<{ generation: number; resumable: boolean }>(
      `select p.generation, p.rebuild_requested_at is null and b.version = $2 and b.generation = p.generation + 1
         as resumable
       from projections p left join projection_builds b on b.name = p.name
       where p.name = $1 for no key update of p`,
      [model.name, model.version],
    );
    const [found] = rows;
    if (!found) throw notFound('projection', model.name);
    if (!found.resumable) await startOver(client, model, found.generation + 1);
  });

/**
 * Adds the last events while the lock keeps the old table's writer from going on, so that both tables show the same.
 */
const catchUpWith = async (client: ClientBase, { log, writer }: { log: Log; writer: Writer }): Promise<Checkpoint> => {
  let { checkpoint } = writer;
  const source = log.subscribe({
    after: checkpoint.position ?? 'start',
    after_id: checkpoint.event_id ?? undefined,
    filter: writer.table.model.streamPrefix === null ? {} : { streamPrefixes: [writer.table.model.streamPrefix] },
    live: false,
  });
  for await (const batch of batches(source, { max: 1000, linger_ms: 1000 })) {
    if (batch.position === null || batch.position === checkpoint.position) continue;
    const writers = [{ ...writer, checkpoint }];
    await applyBatch(client, { writers, batch }, { checkpoints: 'projection_builds', attempt: 1, parking: true });
    checkpoint = { ...checkpoint, position: batch.position, event_id: batch.event_id };
  }
  return checkpoint;
};

/** The log ends before what the serving table has of it, so the table built from it would show less. */
export class LogShorterThanTable extends Error {
  constructor(projection: string) {
    super(`the log ends before what ${projection} has read of it: the serving table stays`);
    this.name = 'LogShorterThanTable';
  }
}

const swap = ({ pool, log }: LaneDependencies, writer: Writer): Promise<void> =>
  inTransaction(pool, async (client) => {
    const { model, name: building } = writer.table;
    const serving = servingTable(model).name;
    const before = await lockCheckpoint(client, model.name);
    if (before?.generation !== writer.checkpoint.generation - 1) return;
    const caughtUp = await catchUpWith(client, { log, writer });
    const { position, event_id } = caughtUp;
    // The log may have been restored from an older backup: the serving table is the only copy of what was lost.
    if (before.position !== null && (position === null || position < before.position))
      throw new LogShorterThanTable(model.name);
    await fence(client, 'projection_builds', [{ ...writer, checkpoint: caughtUp }]);
    await client.query(`drop table ${serving}`);
    await client.query(`alter table ${building} rename to ${serving}`);
    await client.query('delete from parked_events where projection = $1', [serving]);
    await client.query('update parked_events set projection = $2 where projection = $1', [building, serving]);
    await client.query('delete from projection_builds where name = $1', [model.name]);
    await client.query(
      `update projections set version = $2, generation = generation + 1, position = $3, event_id = $4,
         swapped_at = clock_timestamp(), updated_at = clock_timestamp()
       where name = $1`,
      [model.name, model.version, position, event_id],
    );
  });

/**
 * Builds the table beside the serving one, catches up and swaps. Returns early where `signal` aborts; a later call
 * resumes.
 */
export const buildTable = async (dependencies: LaneDependencies, request: BuildRequest): Promise<void> => {
  const { pool, logger } = dependencies;
  const { model, lease, signal } = request;
  await prepare(pool, request);
  const [checkpoint] = await readCheckpoints(pool, 'projection_builds', [model.name]);
  if (!checkpoint || signal.aborted) return;
  const startedAt = performance.now();
  logger.info({ projection: model.name, version: model.version, from: checkpoint.position }, 'building a read model');
  const writers = [{ table: buildingTable(model), lease, checkpoint }];
  const [writer] = await runLane(dependencies, writers, { checkpoints: 'projection_builds', live: false, signal });
  if (!writer || signal.aborted) return;
  await swap(dependencies, writer);
  const duration_ms = Math.round(performance.now() - startedAt);
  logger.info({ projection: model.name, version: model.version, duration_ms }, 'a read model was built and swapped in');
};
