import type { ClientBase, Pool } from 'pg';
import { type ExpectedRevision, WrongExpectedRevision } from '../../errors.ts';
import type { RecordedEvent } from '../../events/event.ts';
import type { LogImport } from '../../ports/log.ts';
import { LOG_CHANNEL, LOG_TABLE } from './log-row.ts';

/** The first event whose revision does not continue its stream; no row where all do. */
const REVISION_GAP = `
  with event as (
    select stream, revision, n,
      row_number() over (partition by stream order by n) - 1 as nth
    from unnest($1::text[], $2::integer[]) with ordinality as e (stream, revision, n)
  )
  select e.stream, e.revision, held.revision as actual
  from event e
  cross join lateral (select max(l.revision) as revision from ${LOG_TABLE} l where l.stream = e.stream) held
  where e.revision <> coalesce(held.revision, -1) + 1 + e.nth
  order by e.n limit 1`;

const INSERT = `
  insert into ${LOG_TABLE} (position, id, stream, revision, type, version, data, meta, at)
  select (select coalesce(max(position), 0) from ${LOG_TABLE}) + e.n, e.id, e.stream, e.revision, e.type, e.version,
    e.data, e.meta, e.at
  from unnest($1::uuid[], $2::text[], $3::integer[], $4::text[], $5::integer[], $6::json[], $7::json[], $8::timestamptz[])
    with ordinality as e (id, stream, revision, type, version, data, meta, at, n)
  order by e.n`;

const checkRevisions = async (client: ClientBase, events: readonly RecordedEvent[]): Promise<void> => {
  const { rows } = await client.query<{ stream: string; revision: number; actual: number | null }>(REVISION_GAP, [
    events.map(({ stream }) => stream),
    events.map(({ revision }) => revision),
  ]);
  const [broken] = rows;
  if (!broken) return;
  const expected: ExpectedRevision = broken.revision === 0 ? 'none' : broken.revision - 1;
  throw new WrongExpectedRevision(broken.stream, expected, broken.actual);
};

const insert = async (client: ClientBase, events: readonly RecordedEvent[]): Promise<void> => {
  // Takes the lock of append_to_log(), so that positions are assigned in the order of commits.
  await client.query("select pg_advisory_xact_lock(hashtextextended('log_events', 0))");
  await checkRevisions(client, events);
  await client.query(INSERT, [
    events.map(({ id }) => id),
    events.map(({ stream }) => stream),
    events.map(({ revision }) => revision),
    events.map(({ type }) => type),
    events.map(({ version }) => version),
    events.map(({ data }) => JSON.stringify(data)),
    events.map(({ meta }) => JSON.stringify(meta)),
    events.map(({ at }) => at),
  ]);
  await client.query(`select pg_notify($1, (select max(position)::text from ${LOG_TABLE}))`, [LOG_CHANNEL]);
};

/**
 * Imports the history of another log into the log of this database, each call all or nothing. The pool stays the
 * caller's.
 */
export const createPostgresLogImport = ({ pool }: { pool: Pool }): LogImport => ({
  importEvents: async (events) => {
    if (events.length === 0) return;
    const client = await pool.connect();
    try {
      await client.query('begin');
      await insert(client, events);
      await client.query('commit');
      client.release();
    } catch (error) {
      // Closes the connection, which ends the transaction in any state.
      client.release(true);
      throw error;
    }
  },
});

/** The id of this database's log: a UUID that was made with it. */
export const postgresLogIdentity = async (pool: Pool): Promise<string> => {
  const { rows } = await pool.query<{ id: string }>('select id from log_identity');
  const [identity] = rows;
  if (!identity) throw new Error('log_identity has no row: it was deleted by hand');
  return identity.id;
};
