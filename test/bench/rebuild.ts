import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { pino } from 'pino';
import { v7 } from 'uuid';
import { createPostgresLog } from '../../src/adapters/postgres/log.ts';
import type { Position } from '../../src/events/event.ts';
import { EndpointId } from '../../src/events/ids.ts';
import type { Log } from '../../src/ports/log.ts';
import { endpoints } from '../../src/projections/endpoints.ts';
import { createProjectionRunner } from '../../src/projections/engine/runner.ts';
import { readModelOf } from '../../src/projections/read-model.ts';
import { openPool } from '../pool.ts';
import { anEvent, endpointRequested, reported } from '../projections/facts.ts';
import { type BenchLine, compare, type Run, timed } from './measure.ts';

const EVENTS = 100_000;
const STREAMS = 2000;
/** Endpoints that something happens to at the same time; the next ones come when these have had their share of events. */
const ACTIVE = 200;
const CHUNK = 5000;
const ROUNDS = 3;

/** The n-th event of a history in which endpoints are deployed and then report now and then. */
const historyOf = (ids: readonly EndpointId[]) => {
  const revisions = new Map<EndpointId, number>();
  return (n: number) => {
    const group = Math.floor((n * STREAMS) / EVENTS / ACTIVE);
    const id = ids[group * ACTIVE + (n % ACTIVE)]!;
    const revision = revisions.get(id) ?? 0;
    revisions.set(id, revision + 1);
    const event = anEvent(revision === 0 ? endpointRequested({ endpoint_id: id }) : reported(id, revision % 3));
    return { ...event, position: n + 1, stream: `endpoint-${id}`, revision, at: new Date().toISOString() };
  };
};

/** Straight into the table: how the events got there is not what is measured. */
const fill = async (pool: pg.Pool): Promise<void> => {
  const nth = historyOf(Array.from({ length: STREAMS }, () => EndpointId.parse(v7())));
  for (let from = 0; from < EVENTS; from += CHUNK) {
    const rows = Array.from({ length: CHUNK }, (_, n) => nth(from + n));
    await pool.query(
      `insert into log_events (position, id, stream, revision, type, version, data, meta, at)
       select position, id, stream, revision, type, version, data, meta, at
       from json_populate_recordset(null::log_events, $1)`,
      [JSON.stringify(rows)],
    );
  }
  await pool.query('vacuum analyze log_events');
};

const readOnly = (log: Log): Promise<Run> =>
  timed(EVENTS, async () => {
    let events = 0;
    for await (const item of log.subscribe({ after: 'start', live: false, filter: { streamPrefixes: ['endpoint-'] } }))
      if ('stream' in item) events += 1;
    if (events !== EVENTS) throw new Error(`read ${events} of ${EVENTS} events`);
  });

const isAt = async (pool: pg.Pool, position: Position | null): Promise<boolean> => {
  const { rows } = await pool.query<{ position: string }>("select position from projections where name = 'endpoints'");
  return rows[0]?.position === position;
};

const rebuild = async (log: Log, pool: pg.Pool): Promise<Run> => {
  const head = await log.head();
  await pool.query('truncate endpoints');
  await pool.query('truncate projections cascade');
  const run = await timed(EVENTS, async () => {
    const runner = createProjectionRunner({
      log,
      pool,
      owner: v7(),
      logger: pino({ level: 'warn' }, pino.destination(2)),
      projections: [readModelOf(endpoints)],
    });
    while (!(await isAt(pool, head))) await delay(5);
    await runner.close();
  });
  const { rows } = await pool.query<{ count: string }>('select count(*) from endpoints');
  if (Number(rows[0]?.count) !== STREAMS) throw new Error(`${rows[0]?.count} rows instead of ${STREAMS}`);
  return run;
};

/** The line of a rebuild, in a migrated database of its own. */
export const benchRebuild = async (connectionString: string): Promise<BenchLine> => {
  const { pool, close } = openPool(connectionString, 8);
  const log = await createPostgresLog({ connectionString });
  try {
    await fill(pool);
    return await compare(
      { what: 'rebuild of the endpoints read model, 100,000 events', goal: 0.3, unit: 'events/s', rounds: ROUNDS },
      { baseline: () => readOnly(log), ours: () => rebuild(log, pool) },
    );
  } finally {
    await log.close();
    await close();
  }
};
