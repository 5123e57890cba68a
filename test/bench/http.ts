import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import autocannon from 'autocannon';
import type pg from 'pg';
import { v7 } from 'uuid';
import { migrate } from '../../src/adapters/postgres/migrate.ts';
import { type EndpointFact, type Recorded, streamOf, toFact } from '../../src/events/catalog.ts';
import { Position } from '../../src/events/event.ts';
import { EndpointId, type TenantId, type UserId } from '../../src/events/ids.ts';
import { endpoints } from '../../src/projections/endpoints.ts';
import { reduce } from '../../src/projections/projection.ts';
import { openPool } from '../pool.ts';
import { anEvent, endpointRequested, reported } from '../projections/facts.ts';
import { type BenchLine, compare, type Run } from './measure.ts';

/** What the HTTP lines and the latencies are measured at. */
export interface Served {
  url: string;
  /** An admin's access token. */
  token: string;
  tenant_id: TenantId;
  /** BudApp's own database. */
  connection_string: string;
}

/** A BudApp whose process is measured from outside. */
export interface ServedProcess extends Served {
  pid: number;
  /** The admin. */
  user_id: UserId;
}

const CONNECTIONS = 32;
const SECONDS = 2;
const ENDPOINTS = 200;

const PLAIN_TABLE = `
  create table plain_projects (
    id uuid primary key, name text not null unique, description text not null, tags jsonb not null,
    created_at timestamptz(3) not null default clock_timestamp())`;

/** Load for a fixed time. Throws where a single request was not answered as it should be. */
const load = async (options: autocannon.Options): Promise<Run> => {
  const result = await autocannon({ connections: CONNECTIONS, duration: SECONDS, ...options });
  const { errors, timeouts, non2xx, duration, latency } = result;
  if (errors + timeouts + non2xx > 0)
    throw new Error(`${options.url}: ${errors} errors, ${timeouts} time-outs, ${non2xx} refusals under load`);
  return { rate: result['2xx'] / duration, p99: latency.p99 };
};

export const headersOf = (token: string) => ({ authorization: `Bearer ${token}`, 'content-type': 'application/json' });

const createProjects = (url: string, headers: Record<string, string>): Promise<Run> =>
  load({
    url,
    requests: [
      {
        method: 'POST',
        path: '/projects',
        headers,
        setupRequest: (request) => ({
          ...request,
          body: JSON.stringify({ name: `bench-${v7()}`, description: 'Made by the bench', tags: ['bench', 'load'] }),
        }),
      },
    ],
  });

export const getEndpoints = (url: string, headers: Record<string, string>, ids: readonly string[]): Promise<Run> =>
  load({ url, requests: ids.map((id) => ({ method: 'GET', path: `/endpoints/${id}`, headers })) });

/** The read models work off what a load left, so that they do not compete with the next measurement. */
const settle = async (pool: pg.Pool): Promise<void> => {
  const limit = performance.now() + 60_000;
  while (performance.now() < limit) {
    const { rows } = await pool.query<{ settled: boolean }>(
      `select bool_and(p.position::bigint >= head.position) as settled
       from projections p, (select max(position) as position from log_events) head`,
    );
    if (rows[0]?.settled) return;
    await delay(20);
  }
  throw new Error('the read models did not catch up within a minute');
};

/** The row of an endpoint that has been deployed, as the reducer makes it. */
const anEndpointRow = (tenant_id: TenantId, name: string): { id: string } => {
  const endpoint_id = EndpointId.parse(v7());
  const stream = streamOf('endpoint', endpoint_id);
  const at = new Date().toISOString();
  const [first, second] = [endpointRequested({ endpoint_id, name }), reported(endpoint_id, 2)].map((fact, revision) => {
    const position = Position.parse('0000000000000001');
    return toFact({ ...anEvent(fact, { tenant_id }), stream, revision, position, at }) as Recorded<EndpointFact>;
  });
  const row = reduce(endpoints, reduce(endpoints, null, first!), second!);
  return row!;
};

/**
 * The same rows in both databases. They go straight into the read model: in the log they would set off deployments, which
 * would compete with what is measured.
 */
export const fillEndpoints = async (pools: readonly pg.Pool[], tenantId: TenantId): Promise<string[]> => {
  const rows = Array.from({ length: ENDPOINTS }, (_, n) => anEndpointRow(tenantId, `bench-${n}`));
  for (const pool of pools) {
    await pool.query('insert into endpoints select * from json_populate_recordset(null::endpoints, $1)', [
      JSON.stringify(rows),
    ]);
  }
  return rows.map(({ id }) => id);
};

const startBareKoa = async (connectionString: string) => {
  const child = fork(new URL('bare-koa.ts', import.meta.url), [connectionString], { execArgv: [] });
  const exited = once(child, 'exit');
  const ready = once(child, 'message');
  const [message] = await Promise.race([ready, exited.then(() => Promise.reject(new Error('the baseline ended')))]);
  const { url } = (message as { ready: { url: string } }).ready;
  return {
    url,
    close: async (): Promise<void> => {
      child.kill();
      await exited;
    },
  };
};

/** The HTTP lines of the bench table. `plain` is an empty database on the same server. */
export const benchHttp = async (served: Served, plain: string): Promise<BenchLine[]> => {
  await migrate({ connectionString: plain });
  const { pool: own, close: closeOwn } = openPool(served.connection_string, 2);
  const { pool: other, close: closeOther } = openPool(plain, 2);
  const bare = await startBareKoa(plain);
  try {
    await other.query(PLAIN_TABLE);
    const ids = await fillEndpoints([own, other], served.tenant_id);
    await Promise.all([own.query('analyze endpoints'), other.query('analyze endpoints')]);
    const headers = headersOf(served.token);
    const settledAfter = async (run: Promise<Run>): Promise<Run> => {
      const measured = await run;
      await settle(own);
      return measured;
    };
    return [
      await compare(
        { what: 'POST /projects over HTTP, 32 connections', goal: 0.6, unit: 'requests/s' },
        {
          baseline: () => createProjects(bare.url, headers),
          ours: () => settledAfter(createProjects(served.url, headers)),
        },
      ),
      await compare(
        { what: 'GET /endpoints/{id} over HTTP, 32 connections', goal: 0.5, unit: 'requests/s' },
        { baseline: () => getEndpoints(bare.url, headers, ids), ours: () => getEndpoints(served.url, headers, ids) },
      ),
    ];
  } finally {
    await bare.close();
    await Promise.all([closeOwn(), closeOther()]);
  }
};
