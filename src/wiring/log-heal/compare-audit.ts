import type { ClientBase } from 'pg';
import { z } from 'zod';
import type { Position, RecordedEvent } from '../../events/event.ts';
import type { Log } from '../../ports/log.ts';

/*
 * The audit beside the log, event by event, in temporary tables of one connection. An event is known by its stream and
 * revision, which the log gives once:
 *
 *     log_now     every event of ours in the log
 *     audit_now   every row of the audit, with its fate:
 *                   held       the log has the event; `now` is its position there
 *                   removed    the log does not have it, but a later one: it was removed on purpose (a scavenge)
 *                   missing    the log has lost it, and can take it again
 *                   gapped     the log has lost it, and the audit lacks one before it in its stream
 *                   displaced  another event stands there
 */

export type Fate = 'held' | 'removed' | 'missing' | 'gapped' | 'displaced';

const CREATE_LOG_NOW = `
  create temporary table log_now (
    position text collate "C" primary key,
    id uuid not null,
    stream text collate "C" not null,
    revision integer not null
  )`;

const CREATE_AUDIT_NOW = `
  create temporary table audit_now as
  select a.position, a.event_id, a.stream, a.revision, a.at, a.command_id, l.position as now,
    case when l.id is null then 'missing' when l.id = a.event_id then 'held' else 'displaced' end as fate
  from audit_log a left join log_now l on l.stream = a.stream and l.revision = a.revision`;

const FIND_REMOVED = `
  update audit_now set fate = 'removed'
  where fate = 'missing' and position < (select max(position) from audit_now where fate = 'held')`;

const FIND_GAPPED = `
  update audit_now a set fate = 'gapped'
  from (
    select m.position, m.revision,
      coalesce((select max(l.revision) from log_now l where l.stream = m.stream), -1)
        + row_number() over (partition by m.stream order by m.revision) as fitting
    from audit_now m where m.fate = 'missing'
  ) as fit
  where a.position = fit.position and fit.revision <> fit.fitting`;

const EVENTS_A_STATEMENT = 5000;

const store = async (client: ClientBase, events: readonly RecordedEvent[]): Promise<void> => {
  await client.query('insert into log_now select * from unnest($1::text[], $2::uuid[], $3::text[], $4::integer[])', [
    events.map(({ position }) => position),
    events.map(({ id }) => id),
    events.map(({ stream }) => stream),
    events.map(({ revision }) => revision),
  ]);
};

/** Adds the events of the log after `after` to `log_now`, and returns the position of the last one. */
export const readLog = async (
  client: ClientBase,
  log: Pick<Log, 'subscribe'>,
  after: Position | 'start',
): Promise<Position | 'start'> => {
  let last = after;
  let waiting: RecordedEvent[] = [];
  for await (const item of log.subscribe({ after, live: false })) {
    if ('caughtUp' in item) continue;
    last = item.position;
    if (waiting.push(item) < EVENTS_A_STATEMENT) continue;
    await store(client, waiting);
    waiting = [];
  }
  await store(client, waiting);
  return last;
};

/** Makes `audit_now` from `log_now`. */
export const compareAudit = async (client: ClientBase): Promise<void> => {
  await client.query('drop table if exists audit_now');
  await client.query('analyze log_now');
  await client.query(CREATE_AUDIT_NOW);
  await client.query('create unique index on audit_now (position)');
  await client.query('analyze audit_now');
  await client.query(FIND_REMOVED);
  await client.query('create index on log_now (stream, revision)');
  await client.query(FIND_GAPPED);
};

/** Reads the whole log into `log_now`, and compares the audit with it. */
export const openComparison = async (client: ClientBase, log: Pick<Log, 'subscribe'>): Promise<Position | 'start'> => {
  await client.query(CREATE_LOG_NOW);
  const last = await readLog(client, log, 'start');
  await compareAudit(client);
  return last;
};

const Some = z.object({
  events: z.int(),
  streams: z.int(),
  first_at: z.date().nullable(),
  last_at: z.date().nullable(),
  /** The first streams by name, for a report. */
  examples: z.array(z.string()),
});
/** How many events there are of a kind, and of which streams and times. */
export type Some = z.output<typeof Some>;

const EXAMPLES = 20;

const summary = async (client: ClientBase, events: string): Promise<Some> => {
  const { rows } = await client.query(
    `select count(*)::integer as events, count(distinct stream)::integer as streams, min(at) as first_at, max(at) as last_at,
       coalesce((array_agg(distinct stream))[1:${EXAMPLES}], '{}') as examples
     from (${events}) as e`,
  );
  return Some.parse(rows[0]);
};

export interface Findings {
  /** Events of the log, and rows of the audit. */
  in_log: number;
  in_audit: number;
  removed: Some;
  missing: Some;
  gapped: Some;
  displaced: Some;
  /** Events of the log that the audit does not have. */
  unknown: Some;
}

const count = async (client: ClientBase, table: string): Promise<number> => {
  const { rows } = await client.query<{ count: number }>(`select count(*)::integer as count from ${table}`);
  return rows[0]?.count ?? 0;
};

const UNKNOWN = `
  select l.stream, null::timestamptz as at from log_now l
  left join audit_now a on a.stream = l.stream and a.revision = l.revision and a.fate = 'held'
  where a.position is null`;

/** What `compareAudit` has found. */
export const readFindings = async (client: ClientBase): Promise<Findings> => {
  const of = (fate: Fate) => summary(client, `select stream, at from audit_now where fate = '${fate}'`);
  return {
    in_log: await count(client, 'log_now'),
    in_audit: await count(client, 'audit_now'),
    removed: await of('removed'),
    missing: await of('missing'),
    gapped: await of('gapped'),
    displaced: await of('displaced'),
    unknown: await summary(client, UNKNOWN),
  };
};
