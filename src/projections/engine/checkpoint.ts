import type { ClientBase, Pool } from 'pg';
import type { Position } from '../../events/event.ts';
import type { EventId } from '../../events/ids.ts';
import { type Lease, LeaseLost } from '../../postgres/lease.ts';
import type { ReadModel } from '../read-model.ts';
import { rowTypes, type Table } from './table.ts';

/**
 * The table of the checkpoints: `projections` for serving tables, `projection_builds` for tables that are being built.
 */
export type CheckpointTable = 'projections' | 'projection_builds';

export interface Checkpoint {
  name: string;
  version: number;
  generation: number;
  /** All events up to this position are in the table; null where none are. */
  position: Position | null;
  /** The id of the event at `position`; null where it is not known. */
  event_id: EventId | null;
}

/** A table with the lease and the checkpoint of its writer. */
export interface Writer {
  table: Table;
  lease: Lease;
  checkpoint: Checkpoint;
}

/** Another process has moved the checkpoint or swapped the table: this writer's checkpoint is out of date. */
export class CheckpointMoved extends Error {
  readonly projection: string;

  constructor(projection: string) {
    super(`the checkpoint of ${projection} was moved by another writer`);
    this.name = 'CheckpointMoved';
    this.projection = projection;
  }
}

const COLUMNS = 'name, version, generation, position, event_id';

export const readCheckpoints = async (
  pool: Pool,
  from: CheckpointTable,
  names: readonly string[],
): Promise<Checkpoint[]> => {
  const { rows } = await pool.query<Checkpoint>({
    text: `select ${COLUMNS} from ${from} where name = any($1)`,
    values: [names],
    types: rowTypes,
  });
  return rows;
};

/** Locks the checkpoint of one read model against its writer and any other change. */
export const lockCheckpoint = async (client: ClientBase, name: string): Promise<Checkpoint | null> => {
  const { rows } = await client.query<Checkpoint>({
    text: `select ${COLUMNS} from projections where name = $1 for no key update`,
    values: [name],
    types: rowTypes,
  });
  return rows[0] ?? null;
};

const isUnchanged = (ours: Checkpoint, theirs: Checkpoint | undefined): boolean =>
  theirs?.position === ours.position && theirs.version === ours.version && theirs.generation === ours.generation;

/**
 * The fence: checks each writer's lease and checkpoint inside the writing transaction, and locks both until it ends.
 * Throws `LeaseLost` or `CheckpointMoved`.
 */
export const fence = async (client: ClientBase, from: CheckpointTable, writers: readonly Writer[]): Promise<void> => {
  const { rows: leases } = await client.query<{ name: string }>(
    `select l.name from leases l join unnest($1::text[], $2::bigint[]) as ours (name, token)
       on l.name = ours.name and l.token = ours.token
     order by l.name for share of l`,
    [writers.map(({ lease }) => lease.name), writers.map(({ lease }) => lease.token)],
  );
  const { rows: checkpoints } = await client.query<Checkpoint>({
    // Locks in the order of names, so that two transactions cannot deadlock.
    text: `select ${COLUMNS} from ${from} where name = any($1) order by name for no key update`,
    values: [writers.map(({ table }) => table.model.name)],
    types: rowTypes,
  });
  for (const { lease, checkpoint } of writers) {
    if (!leases.some(({ name }) => name === lease.name)) throw new LeaseLost(lease.name);
    const found = checkpoints.find(({ name }) => name === checkpoint.name);
    if (!isUnchanged(checkpoint, found)) throw new CheckpointMoved(checkpoint.name);
  }
};

export const moveCheckpoints = async (
  client: ClientBase,
  from: CheckpointTable,
  { names, position, event_id }: { names: readonly string[] } & Pick<Checkpoint, 'position' | 'event_id'>,
): Promise<void> => {
  // A read model that is ahead of the others keeps its position; positions sort in the order of the log.
  await client.query(
    `update ${from} set position = greatest(position, $2), updated_at = clock_timestamp(),
       event_id = case when position > $2 then event_id else $3::uuid end
     where name = any($1)`,
    [names, position, event_id],
  );
};

/**
 * Registers the read models. On a new database they start in the serving table. A read model that is added later starts
 * at version 0, so it is built beside the serving table and does not hold up the others while it catches up.
 */
export const registerReadModels = async (pool: Pool, models: readonly ReadModel[]): Promise<void> => {
  await pool.query(
    `insert into projections (name, version)
     select m.name, case when exists (select from projections where position is not null) then 0 else m.version end
     from unnest($1::text[], $2::integer[]) as m (name, version)
     on conflict (name) do nothing`,
    [models.map(({ name }) => name), models.map(({ version }) => version)],
  );
};
