import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { v7 } from 'uuid';
import { createPostgresLog } from '../../src/adapters/postgres/log.ts';
import { migrate } from '../../src/adapters/postgres/migrate.ts';
import type { NewEvent } from '../../src/events/event.ts';
import { CommandId, EventId, TenantId } from '../../src/events/ids.ts';
import { createEmbeddedPostgres } from '../../src/local/postgres/embedded-postgres.ts';
import type { Log } from '../../src/ports/log.ts';
import { openPool } from '../pool.ts';
import { type BenchLine, callers, compare, type Run, timed } from './measure.ts';

/** What a deployment's events look like: about 300 bytes of data and a full meta. */
export const aRealisticEvent = (): NewEvent => ({
  id: EventId.parse(v7()),
  type: 'EndpointRequested',
  version: 1,
  data: {
    endpoint_id: v7(),
    project_id: v7(),
    model_id: v7(),
    cluster_id: v7(),
    name: 'chat-assistant-production',
    model_name: 'text-recognition-v4',
    model_uri: 'file:///var/lib/budapp/objects/models/text-recognition-v4.onnx',
    replicas: 2,
    reserved: { cores: 4, memory_mb: 2048 },
  },
  meta: {
    tenant_id: TenantId.parse(v7()),
    command_id: CommandId.parse(v7()),
    command: 'DeployModel',
    correlation_id: randomUUID(),
    causation_id: EventId.parse(v7()),
    actor: { type: 'user', id: v7(), name: 'sealed:1:0198c0de:q83v7fXz2mBk:Zm9vYmFyYmF6cXV4:dGhpcyBpcyBhIG5hbWU' },
    request_hash: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  },
});

/** The same columns and indexes as the log, without anything that the log does on top. */
const PLAIN_TABLE = `
  create table plain_events (
    position bigint generated always as identity primary key, id uuid not null unique, stream text collate "C" not null,
    revision integer not null, type text not null, version integer not null, data json not null, meta json not null,
    at timestamptz(3) not null default clock_timestamp(), unique (stream, revision))`;
const PLAIN_INSERT =
  'insert into plain_events (id, stream, revision, type, version, data, meta) values ($1, $2, 0, $3, $4, $5, $6)';

const plainInsert = async (pool: pg.Pool): Promise<void> => {
  const { id, type, version, data, meta } = aRealisticEvent();
  await pool.query(PLAIN_INSERT, [id, `endpoint-${id}`, type, version, JSON.stringify(data), JSON.stringify(meta)]);
};

const logAppend = async (log: Log): Promise<void> => {
  const event = aRealisticEvent();
  await log.append(`endpoint-${event.id}`, [event], { expected: 'none' });
};

const fill = async (log: Log, wanted: number): Promise<void> => {
  const head = Number((await log.head()) ?? 0);
  for (let written = head; written < wanted; written += 1000)
    await log.append(`filler-${v7()}`, Array.from({ length: 1000 }, aRealisticEvent), { expected: 'none' });
};

const readRaw = (pool: pg.Pool, count: number): Promise<Run> =>
  timed(count, async () => {
    let position = '0';
    for (let read = 0; read < count; ) {
      const { rows } = await pool.query('select * from log_events where position > $1 order by position limit 2000', [
        position,
      ]);
      read += rows.length;
      position = rows.at(-1).position;
    }
  });

const readLog = (log: Log, count: number): Promise<Run> =>
  timed(count, async () => {
    let read = 0;
    for await (const item of log.subscribe({ after: 'start', live: false })) {
      if ('stream' in item) read += 1;
      if (read === count) break;
    }
  });

/** The log's lines of the bench table, in a migrated database of their own on a server that flushes to disk. */
export const benchLog = async (connectionString: string): Promise<BenchLine[]> => {
  const many = openPool(connectionString, 64);
  const one = openPool(connectionString, 1);
  const log = await createPostgresLog({ connectionString });
  try {
    await one.pool.query(PLAIN_TABLE);
    const lines = [
      await compare(
        { what: 'single-event appends, 64 callers', goal: 1.5, unit: 'events/s', p99_counts: true },
        {
          baseline: () => callers(64, 4000, () => plainInsert(many.pool)),
          ours: () => callers(64, 4000, () => logAppend(log)),
        },
      ),
      await compare(
        { what: 'single-event appends, 1 caller', goal: 0.7, unit: 'events/s' },
        {
          baseline: () => callers(1, 500, () => plainInsert(one.pool)),
          ours: () => callers(1, 500, () => logAppend(log)),
        },
      ),
    ];
    await fill(log, 100_000);
    await one.pool.query('vacuum analyze log_events');
    lines.push(
      await compare(
        { what: 'read the whole log in order, 100,000 events', goal: 0.8, unit: 'events/s' },
        { baseline: () => readRaw(one.pool, 100_000), ours: () => readLog(log, 100_000) },
      ),
    );
    return lines;
  } finally {
    await Promise.all([log.close(), many.close(), one.close()]);
  }
};

if (import.meta.main) {
  const folder = await mkdtemp(join(tmpdir(), 'budapp-bench-'));
  const postgres = await createEmbeddedPostgres({ data_dir: folder });
  try {
    await migrate({ connectionString: postgres.connection_string });
    console.table(await benchLog(postgres.connection_string));
  } finally {
    await postgres.close();
    await rm(folder, { recursive: true, force: true });
  }
}
