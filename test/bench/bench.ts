import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { migrate } from '../../src/adapters/postgres/migrate.ts';
import { TenantId, UserId } from '../../src/events/ids.ts';
import { createEmbeddedPostgres } from '../../src/local/postgres/embedded-postgres.ts';
import { loggedIn, startBudApp } from '../e2e/budapp.ts';
import { openPool } from '../pool.ts';
import { benchDapr } from './dapr.ts';
import { benchDeployments } from './deployments.ts';
import { benchEventStore } from './eventstore.ts';
import { benchEventStoreReading } from './eventstore-reading.ts';
import { benchHttp, type ServedProcess } from './http.ts';
import { benchLatency, type Latency } from './latency.ts';
import { benchLog } from './log.ts';
import type { BenchLine } from './measure.ts';
import { benchOwnWrites } from './own-writes.ts';
import { benchRebuild } from './rebuild.ts';
import { machineText, tableText } from './report.ts';
import { benchReports } from './reports.ts';
import { benchStream } from './stream/stream.ts';
import { benchTokens } from './tokens.ts';

const databaseAt = (connectionString: string, database: string): string => {
  const url = new URL(connectionString);
  url.pathname = `/${database}`;
  return url.href;
};

interface Place {
  folder: string;
  connection_string: string;
  /** A database of its own on the server, dropped afterwards so that nothing goes on in the background. */
  inDatabase<T>(name: string, work: (connectionString: string) => Promise<T>): Promise<T>;
}

const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

interface BudAppPlace extends Pick<Place, 'folder'> {
  /** Of its data folder. */
  name?: string;
  master_key?: Buffer;
  settings?: Readonly<Record<string, string>>;
}

/** The whole BudApp as `npm start` runs it, on the bench's own server. */
const withBudApp = async <T>(
  { folder, name = 'budapp', master_key = randomBytes(32), settings = {} }: BudAppPlace,
  database: string,
  work: (served: ServedProcess) => Promise<T>,
): Promise<T> => {
  const { hostname, port, username, password, pathname } = new URL(database);
  const budapp = await startBudApp(join(folder, name), {
    LOG_LEVEL: 'warn',
    POSTGRES_HOST: hostname,
    POSTGRES_PORT: port,
    POSTGRES_USER: username,
    POSTGRES_PASSWORD: decodeURIComponent(password),
    POSTGRES_DB: pathname.slice(1),
    MASTER_KEY: master_key.toString('base64'),
    ...settings,
  });
  try {
    const client = await loggedIn(budapp);
    const { body } = await client.get<{ tenant_id: string; user_id: string }>('/auth/me');
    const ids = { tenant_id: TenantId.parse(body.tenant_id), user_id: UserId.parse(body.user_id) };
    const { url, pid } = budapp;
    return await work({ url, pid, token: client.token, connection_string: database, ...ids });
  } catch (error) {
    say(budapp.output());
    throw error;
  } finally {
    await budapp.stop();
  }
};

const migrated =
  <T>(work: (connectionString: string) => Promise<T>) =>
  async (connectionString: string): Promise<T> => {
    await migrate({ connectionString });
    return work(connectionString);
  };

const measure = async (place: Place): Promise<{ lines: BenchLine[]; latencies: Latency[]; remarks: string[] }> => {
  say('the log ...');
  const log = await place.inDatabase('bench_log', migrated(benchLog));
  say('a rebuild ...');
  const rebuild = await place.inDatabase('bench_rebuild', migrated(benchRebuild));
  say('the API ...');
  const api = await place.inDatabase('bench_api', (database) =>
    withBudApp(place, database, async (served) => ({
      lines: await place.inDatabase('bench_bare', (bare) => benchHttp(served, bare)),
      latencies: await benchLatency(served),
    })),
  );
  say('own writes ...');
  const ownWrites = await place.inDatabase('bench_writes', (database) => {
    const both = { folder: place.folder, master_key: randomBytes(32) };
    const unasked = { ...both, name: 'unasked', settings: { OWN_WRITES_TIMEOUT_SECONDS: '0' } };
    return withBudApp({ ...both, name: 'asked' }, database, (served) =>
      withBudApp(unasked, database, (plain) => benchOwnWrites(served, plain)),
    );
  });
  say('the live stream ...');
  const streaming = { folder: place.folder, name: 'streaming' };
  const stream = await place.inDatabase('bench_stream', (database) => withBudApp(streaming, database, benchStream));
  say('deployments ...');
  const deployments = await place.inDatabase('bench_deployments', migrated(benchDeployments));
  say('reports ...');
  const reports = await benchReports();
  say('tokens ...');
  const tokens = await benchTokens();
  say('EventStoreDB, its test double ...');
  const eventStore = await benchEventStore();
  const reading = await place.inDatabase('bench_reading', migrated(benchEventStoreReading));
  say('Dapr ...');
  const dapr = await benchDapr();
  const throughDapr =
    'skipped' in dapr ? { lines: [], latencies: [] } : { lines: [dapr.line], latencies: dapr.latencies };
  if ('skipped' in dapr) say(`Dapr is left out: ${dapr.skipped}`);
  return {
    lines: [
      ...log,
      rebuild,
      ...api.lines,
      ...ownWrites,
      ...stream.lines,
      deployments.line,
      reports,
      ...tokens,
      ...eventStore,
      ...reading,
      ...throughDapr.lines,
    ],
    latencies: [...api.latencies, ...stream.latencies, ...deployments.latencies, ...throughDapr.latencies],
    remarks: [deployments.remark],
  };
};

const placeAt = (
  folder: string,
  { connection_string, admin }: { connection_string: string; admin: pg.Pool },
): Place => ({
  folder,
  connection_string,
  inDatabase: async (name, work) => {
    await admin.query(`create database ${name}`);
    try {
      return await work(databaseAt(connection_string, name));
    } finally {
      await admin.query(`drop database ${name} with (force)`);
      await admin.query('checkpoint');
    }
  },
});

const serverFacts = async (admin: pg.Pool) => {
  const { rows } = await admin.query<{ version: string; fsync: string; synchronous_commit: string }>(
    `select current_setting('server_version') as version, current_setting('fsync') as fsync,
       current_setting('synchronous_commit') as synchronous_commit`,
  );
  const [facts] = rows;
  if (!facts) throw new Error('the server says nothing about itself');
  return facts;
};

const start = performance.now();
const folder = await mkdtemp(join(tmpdir(), 'budapp-bench-'));
// Walked into by the user that the server runs as.
await chmod(folder, 0o755);
try {
  const postgres = await createEmbeddedPostgres({ data_dir: join(folder, 'postgres') });
  const { pool: admin, close } = openPool(postgres.connection_string, 1);
  try {
    const { connection_string } = postgres;
    console.log(
      `BudApp bench: medians of rounds in turns with a baseline\n\n${machineText(await serverFacts(admin))}\n`,
    );
    const { lines, latencies, remarks } = await measure(placeAt(folder, { connection_string, admin }));
    console.log(
      `${[tableText(lines, latencies), ...remarks].join('\n')}\n\ntook ${Math.round((performance.now() - start) / 1000)} s`,
    );
  } finally {
    await close();
    await postgres.close();
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
