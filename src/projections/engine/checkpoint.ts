import type { ClientBase, Pool } from 'pg';
import type { Position } from '../../events/event.ts';
import { type Lease, LeaseLost } from '../../postgres/lease.ts';
import type { ReadModel } from '../read-model.ts';
import { rowTypes, type Table } from './table.ts';

/** Where checkpoints lie: `projections` for the tables that serve, `projection_builds` for those being built. */
export type CheckpointTable = 'projections' | 'projection_builds';

export interface Checkpoint {
  name: string;
  version: number;
  generation: number;
  /** Everything up to it is in the table; null: nothing yet. */
  position: Position | null;
}

/** A table that is kept up to date, in the name of a lease. */
export interface Writer {
  table: Table;
  lease: Lease;
  checkpoint: Checkpoint;
}

/** Somebody else has moved the checkpoint or swapped the table: what this process knows of it is out of date. */
export class CheckpointMoved extends Error {
  readonly projection: string;

  constructor(projection: string) {
    super(`the checkpoint of ${projection} is not where this writer left it`);
    this.name = 'CheckpointMoved';
    this.projection = projection;
  }
}

const COLUMNS = 'name, version, generation, position';

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

/** Locks the checkpoint of one read model, against its writer and whoever else moves it. */
export const lockCheckpoint = async (client: ClientBase, name: string): Promise<Checkpoint | null> => {
  const { rows } = await client.query<Checkpoint>({
    text: `select ${COLUMNS} from projections where name = $1 for no key update`,
    values: [name],
    types: rowTypes,
  });
  return rows[0] ?? null;
};

const isWhereWeLeftIt = (ours: Checkpoint, theirs: Checkpoint | undefined): boolean =>
  theirs?.position === ours.position && theirs.version === ours.version && theirs.generation === ours.generation;

/**
 * The fence: inside the transaction that writes, checks each writer's lease and checkpoint and keeps both as they are until
 * it ends. Throws `LeaseLost` or `CheckpointMoved`.
 */
export const fence = async (client: ClientBase, from: CheckpointTable, writers: readonly Writer[]): Promise<void> => {
  const { rows: leases } = await client.query<{ name: string }>(
    `select l.name from leases l join unnest($1::text[], $2::bigint[]) as ours (name, token)
       on l.name = ours.name and l.token = ours.token
     order by l.name for share of l`,
    [writers.map(({ lease }) => lease.name), writers.map(({ lease }) => lease.token)],
  );
  const { rows: checkpoints } = await client.query<Checkpoint>({
    // In the order of names, so that two transactions never wait for each other.
    text: `select ${COLUMNS} from ${from} where name = any($1) order by name for no key update`,
    values: [writers.map(({ table }) => table.model.name)],
    types: rowTypes,
  });
  for (const { lease, checkpoint } of writers) {
    if (!leases.some(({ name }) => name === lease.name)) throw new LeaseLost(lease.name);
    const found = checkpoints.find(({ name }) => name === checkpoint.name);
    if (!isWhereWeLeftIt(checkpoint, found)) throw new CheckpointMoved(checkpoint.name);
  }
};

export const moveCheckpoints = async (
  client: ClientBase,
  from: CheckpointTable,
  { names, position }: { names: readonly string[]; position: Position | null },
): Promise<void> => {
  // A read model that was ahead of the others stays where it is: positions sort in the order of the log.
  await client.query(
    `update ${from} set position = greatest(position, $2), updated_at = clock_timestamp() where name = any($1)`,
    [names, position],
  );
};

/**
 * Makes the read models known. On a new database they start in the table that serves; one that is added later starts at
 * version 0, and so is built beside it, where its catching up holds up nobody.
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
