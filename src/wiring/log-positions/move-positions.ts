import type { ClientBase } from 'pg';
import { readModelCatalog } from '../../projections/catalog.ts';
import { forgetKeptAnchors } from '../log-fence/anchors.ts';
import { MoveRefused } from './move-refused.ts';

/*
 * Every position that the database stores, moved by the pairs in `position_map` inside the caller's transaction:
 *
 *     read models, also those being built, parked events    a position is one of an event: it becomes the event's new one
 *     checkpoints                                            may lie behind their event, so they move to the last one before
 *     what processes remember                                as read models; it is never emptied
 */

/** Replaces each row's `position` by that of the same event. */
const MOVE_EACH = (table: string): string => `
  update ${table} t set position = m.after from position_map m where t.position = m.before and m.before <> m.after`;

/** As `MOVE_EACH`, in two steps: an event's new position may be another one's old one, which a key refuses on the way. */
const MOVE_EACH_APART = (table: string): readonly string[] => [
  `update ${table} t set position = '>' || m.after from position_map m
   where t.position = m.before and m.before <> m.after`,
  `update ${table} set position = substr(position, 2) where position like '>%'`,
];

const OVERLAPS = `
  select from position_map a join position_map b on a.after = b.before
  where a.before <> a.after and b.before <> b.after limit 1`;

/** Moves the positions of events in these tables. */
const moveEach = async (client: ClientBase, tables: readonly string[]): Promise<void> => {
  const { rowCount } = await client.query(OVERLAPS);
  for (const table of tables) {
    const statements = rowCount === 0 ? [MOVE_EACH(table)] : MOVE_EACH_APART(table);
    for (const statement of statements) await client.query(statement);
  }
};

/** A checkpoint may lie behind the event that it stands for, never before: everything up to it has been taken in. */
const moveCheckpoint = (table: string): string => `
  update ${table} t set position =
    (select m.after from position_map m where m.before <= t.position order by m.before desc limit 1)
  where t.position is not null`;

const unknownPositions = (table: string): string => `
  select t.position from ${table} t left join position_map m on m.before = t.position
  where t.position is not null and m.before is null limit 1`;

const assertKnown = async (client: ClientBase, tables: readonly string[], advice: string): Promise<void> => {
  for (const table of tables) {
    const { rows } = await client.query<{ position: string }>(unknownPositions(table));
    const [unknown] = rows;
    if (unknown) throw new MoveRefused(`${table} holds ${unknown.position}, which is no event's position.`, advice);
  }
};

const serving = readModelCatalog.map(({ name }) => name);

/** The table that is being built for a read model beside the serving one; none where there is none. */
const buildingTables = async (client: ClientBase, names: readonly string[]): Promise<string[]> => {
  const { rows } = await client.query<{ name: string }>(
    `select name || '__v' || version as name from projection_builds
     where name = any($1) and to_regclass(name || '__v' || version) is not null`,
    [names],
  );
  return rows.map(({ name }) => name);
};

/** Gives up what is being built for these read models. Where it is still wanted, it is begun anew. */
export const dropBuilds = async (client: ClientBase, names: readonly string[]): Promise<void> => {
  const tables = await buildingTables(client, names);
  for (const table of tables) await client.query(`drop table ${table}`);
  await client.query('delete from parked_events where projection = any($1)', [tables]);
  await client.query('delete from projection_builds where name = any($1)', [names]);
};

/** False where the read model has taken in an event whose position the map does not know. */
export const isReadModelKnown = async (client: ClientBase, name: string): Promise<boolean> => {
  const tables = [name, ...(await buildingTables(client, [name]))];
  for (const table of tables) if ((await client.query(unknownPositions(table))).rowCount !== 0) return false;
  const { rowCount } = await client.query(
    `select from parked_events p left join position_map m on m.before = p.position
     where p.projection = any($1) and m.before is null limit 1`,
    [tables],
  );
  return rowCount === 0;
};

/** Throws `MoveRefused` where a row has a position that the map does not know. */
export const moveReadModels = async (client: ClientBase, names: readonly string[] = serving): Promise<void> => {
  const tables = [...names, ...(await buildingTables(client, names))];
  const advice = 'With --reset-checkpoints the read models are built anew instead.';
  await assertKnown(client, [...tables, 'parked_events'], advice);
  await moveEach(client, [...tables, 'parked_events']);
  for (const table of ['projections', 'projection_builds']) await client.query(moveCheckpoint(table));
};

/** Empties read models: they are built from the start of the log. */
export const resetReadModels = async (client: ClientBase, names: readonly string[] = serving): Promise<void> => {
  if (names.length === 0) return;
  await dropBuilds(client, names);
  await client.query('delete from parked_events where projection = any($1)', [names]);
  await client.query(`truncate ${names.join(', ')}`);
  await client.query('update projections set position = null, generation = generation + 1 where name = any($1)', [
    names,
  ]);
};

/**
 * Processes never start again from the beginning of the log: all their effects would be performed again. Throws
 * `MoveRefused` where one remembers a position that the map does not know.
 */
export const moveProcesses = async (client: ClientBase): Promise<void> => {
  const tables = ['process_instances', 'process_parked_events'];
  await assertKnown(client, tables, 'Restore the database from a backup that was taken together with the log.');
  await moveEach(client, tables);
  await client.query(
    `update process_parked_events set event = jsonb_set(event, '{position}', to_jsonb(position::text))`,
  );
  await client.query(
    'delete from process_checkpoints c where not exists (select from position_map m where m.before <= c.position)',
  );
  await client.query(moveCheckpoint('process_checkpoints'));
};

/** From now on the database belongs to this log, and misses nothing in it. */
export const adoptLog = async (client: ClientBase, log_id: string): Promise<void> => {
  await client.query(
    `insert into checkpoint_log (log_id) values ($1)
     on conflict (only_row) do update set log_id = excluded.log_id, adopted_at = now()`,
    [log_id],
  );
  await forgetKeptAnchors(client);
};
