import type { ClientBase, Pool } from 'pg';
import type { Position } from '../../events/event.ts';
import { readModelCatalog } from '../../projections/catalog.ts';
import type { Comparison } from './log-copy.ts';

/** The positions in the database could not be moved to another log; nothing was changed. */
export class CutOverRefused extends Error {
  constructor(problem: string, advice: string) {
    super(`Nothing was cut over: ${problem} ${advice}`);
    this.name = 'CutOverRefused';
  }
}

/** The application name of the copy's connections, which tells them from those of a running BudApp. */
export const COPY_APPLICATION = 'budapp-log-copy';

const PAIRS_A_STATEMENT = 5000;

/** A temporary table with each event's position in both logs. It is dropped with the connection. */
const CREATE_MAP = `
  create temporary table position_map (
    before text collate "C" primary key,
    after text collate "C" not null
  )`;

/** Replaces each row's `position` by that of the same event in the new log. */
const moveEach = (table: string): string => `
  update ${table} t set position = m.after from position_map m where t.position = m.before and m.before <> m.after`;

/** A checkpoint may lie behind the event that it stands for, never before: everything up to it has been taken in. */
const moveCheckpoint = (table: string): string => `
  update ${table} t set position =
    (select m.after from position_map m where m.before <= t.position order by m.before desc limit 1)
  where t.position is not null`;

const unknownPositions = (table: string): string => `
  select t.position from ${table} t left join position_map m on m.before = t.position
  where t.position is not null and m.before is null limit 1`;

export interface CutOverOptions {
  /** The database of checkpoints, read models and process state. */
  pool: Pool;
  /** Ids of the logs. */
  from_id: string;
  to_id: string;
  /**
   * true: empties the read models, which are then built from the start. The state of processes is moved in any case.
   */
  reset: boolean;
  /** Reads both logs side by side, and reports the positions of each event in both. */
  compare(onPair: (from: Position, to: Position) => Promise<void>): Promise<Comparison>;
  /** The end of the source. It is read last, to notice whether anybody appended meanwhile. */
  head(): Promise<Position | null>;
}

const assertNobodyWorks = async (client: ClientBase): Promise<void> => {
  const { rows } = await client.query<{ application_name: string; count: string }>(
    `select application_name, count(*) from pg_stat_activity
     where datname = current_database() and application_name like 'budapp%' and application_name <> $1
     group by application_name order by application_name`,
    [COPY_APPLICATION],
  );
  if (rows.length === 0) return;
  const who = rows.map(({ application_name, count }) => `${application_name} (${count} connections)`).join(', ');
  throw new CutOverRefused(`BudApp is still at work on this database: ${who}.`, 'Stop all of its processes first.');
};

const assertKnows = async (client: ClientBase, { from_id, to_id }: CutOverOptions): Promise<void> => {
  const { rows } = await client.query<{ log_id: string }>('select log_id from checkpoint_log for update');
  const log_id = rows[0]?.log_id;
  if (log_id === undefined || log_id === from_id) return;
  // The same cut-over was done before, and is asked for again.
  if (log_id === to_id)
    throw new CutOverRefused('this installation goes on with --to already.', 'Set EVENTSTORE_URL accordingly.');
  throw new CutOverRefused(
    "this database's checkpoints belong to another log than --from.",
    'Name the log that BudApp has worked with until now.',
  );
};

/** Writes pairs of positions, many with one statement. */
const createMapWriter = (client: ClientBase) => {
  let before: Position[] = [];
  let after: Position[] = [];
  const flush = async (): Promise<void> => {
    await client.query('insert into position_map (before, after) select * from unnest($1::text[], $2::text[])', [
      before,
      after,
    ]);
    before = [];
    after = [];
  };
  return {
    flush,
    add: async (from: Position, to: Position): Promise<void> => {
      before.push(from);
      after.push(to);
      if (before.length >= PAIRS_A_STATEMENT) await flush();
    },
  };
};

const assertKnown = async (client: ClientBase, tables: readonly string[], advice: string): Promise<void> => {
  for (const table of tables) {
    const { rows } = await client.query<{ position: string }>(unknownPositions(table));
    const [unknown] = rows;
    if (unknown) throw new CutOverRefused(`${table} holds ${unknown.position}, which is no event's position.`, advice);
  }
};

/** The tables of read models that are being rebuilt beside the serving ones. */
const buildingTables = async (client: ClientBase): Promise<string[]> => {
  const { rows } = await client.query<{ name: string }>(
    `select name || '__v' || version as name from projection_builds where to_regclass(name || '__v' || version) is not null`,
  );
  return rows.map(({ name }) => name);
};

const serving = readModelCatalog.map(({ name }) => name);

const moveReadModels = async (client: ClientBase): Promise<void> => {
  const tables = [...serving, ...(await buildingTables(client)), 'parked_events'];
  await assertKnown(client, tables, 'With --reset-checkpoints the read models are built anew instead.');
  for (const table of tables) await client.query(moveEach(table));
  for (const table of ['projections', 'projection_builds']) await client.query(moveCheckpoint(table));
};

const resetReadModels = async (client: ClientBase): Promise<void> => {
  for (const table of await buildingTables(client)) await client.query(`drop table ${table}`);
  await client.query('delete from projection_builds');
  await client.query('delete from parked_events');
  await client.query(`truncate ${serving.join(', ')}`);
  await client.query('update projections set position = null, generation = generation + 1');
};

/** Processes never start again from the beginning of the log: all their effects would be performed again. */
const moveProcesses = async (client: ClientBase): Promise<void> => {
  const tables = ['process_instances', 'process_parked_events'];
  await assertKnown(client, tables, 'Restore the database from a backup that was taken together with the log.');
  for (const table of tables) await client.query(moveEach(table));
  await client.query(
    `update process_parked_events set event = jsonb_set(event, '{position}', to_jsonb(position::text))`,
  );
  await client.query(moveCheckpoint('process_checkpoints'));
};

const adopt = async (client: ClientBase, log_id: string): Promise<void> => {
  await client.query(
    `insert into checkpoint_log (log_id) values ($1)
     on conflict (only_row) do update set log_id = excluded.log_id, adopted_at = now()`,
    [log_id],
  );
};

const cutOverOn = async (client: ClientBase, options: CutOverOptions): Promise<Comparison> => {
  await client.query(CREATE_MAP);
  const map = createMapWriter(client);
  const comparison = await options.compare(map.add);
  await map.flush();
  await client.query('analyze position_map');
  await client.query('begin');
  // An append to this database's own log waits for this transaction, or is noticed by the check below.
  await client.query("select pg_advisory_xact_lock(hashtextextended('log_events', 0))");
  await assertKnows(client, options);
  if (options.reset) await resetReadModels(client);
  else await moveReadModels(client);
  await moveProcesses(client);
  await adopt(client, options.to_id);
  if ((await options.head()) !== comparison.from)
    throw new CutOverRefused('the source has new events by now.', 'Stop all processes of BudApp, then start again.');
  await assertNobodyWorks(client);
  await client.query('commit');
  return comparison;
};

/**
 * Moves the database to another log with the same history. One transaction replaces all positions by those of the same
 * events in the new log. Throws `CutOverRefused`, or what `compare` throws; nothing is changed then.
 */
export const cutOver = async (options: CutOverOptions): Promise<Comparison> => {
  const client = await options.pool.connect();
  try {
    await assertNobodyWorks(client);
    return await cutOverOn(client, options);
  } finally {
    // Closes the connection, and with it an open transaction and the temporary table.
    client.release(true);
  }
};
