import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Client } from '../../src/demo/client.ts';
import type { EndpointView } from '../../src/demo/story.ts';
import { eventually } from '../eventually.ts';
import { type OpenedPool, openPool } from '../pool.ts';
import { type TestDatabase, testDatabase } from '../postgres.ts';
import { type BudApp, inferenceProcesses, loggedIn, startBudApp } from './budapp.ts';
import { aCluster, aModel, settledEndpoint } from './deployment.ts';

const CYCLES = 20;
/** What docs/operations.md states a cycle leaves: facts in the log and rows of ended processes. */
const FACTS_A_CYCLE = 150;
const ROWS_A_CYCLE = 90;

/** The records of ended work that a service keeps on purpose, of which it forgets the oldest; and what only a stop writes. */
const ENDED_RECORDS = /\/(extractions|scans|simulations)\/|\/state\.json$|\.log$/;

/** What is there of everything that may leak. */
interface Holdings {
  files: readonly string[];
  temporary: readonly string[];
  replicas: number;
  rows: Readonly<Record<string, number>>;
  reservations: unknown;
}

describe('twenty cycles of creation, failure, cancellation and deletion', function () {
  this.timeout(900_000);
  let folder: string;
  let database: TestDatabase;
  let sql: OpenedPool;
  let budapp: BudApp;
  let client: Client;
  let cluster: { id: string };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'budapp-cycles-'));
    await mkdir(join(folder, 'tmp'));
    database = await testDatabase();
    sql = openPool(database.connection_string, 1);
    const url = new URL(database.connection_string);
    budapp = await startBudApp(join(folder, 'data'), {
      POSTGRES_HOST: url.hostname,
      POSTGRES_PORT: url.port,
      POSTGRES_USER: decodeURIComponent(url.username),
      POSTGRES_PASSWORD: decodeURIComponent(url.password),
      POSTGRES_DB: url.pathname.slice(1),
      MASTER_KEY: randomBytes(32).toString('base64'),
      TMPDIR: join(folder, 'tmp'),
    });
    client = await loggedIn(budapp);
    cluster = await aCluster(client);
  });
  after(async () => {
    await budapp?.stop();
    await sql?.close();
    await database?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const filesIn = async (dir: string): Promise<string[]> => {
    const entries = await readdir(dir, { recursive: true, withFileTypes: true });
    return entries.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name).slice(dir.length));
  };

  const count = async (of: string): Promise<number> =>
    (await sql.pool.query<{ n: number }>(`select count(*)::integer as n from ${of}`)).rows[0]?.n ?? 0;

  const holdings = async (): Promise<Holdings> => ({
    files: (await filesIn(join(folder, 'data'))).filter((file) => !ENDED_RECORDS.test(file)).sort(),
    temporary: await filesIn(join(folder, 'tmp')),
    replicas: (await inferenceProcesses(folder)).length,
    rows: {
      open_intents: await count('process_intents where done_at is null'),
      timers: await count('process_timers'),
      parked: await count('process_instances where parked_at is not null'),
    },
    reservations: (await client.get<{ reservations: unknown }>(`/clusters/${cluster.id}`)).body.reservations,
  });

  /** Descriptors of files; sockets come and go with the requests. */
  const openFiles = async (): Promise<string[]> => {
    const names = await readdir(`/proc/${budapp.pid}/fd`);
    const targets = await Promise.all(names.map((name) => readlink(`/proc/${budapp.pid}/fd/${name}`).catch(() => '')));
    return targets.filter((target) => target.startsWith(folder)).sort();
  };

  const ended = (workflow_id: string) =>
    eventually('the workflow has ended', async () => {
      const { body } = await client.get<{ status: string }>(`/audit/workflow/${workflow_id}/state`);
      return body.status === 'running' ? null : body;
    });

  const cycle = async (n: number): Promise<void> => {
    const broken = await aModel(client, `broken-${n}`, Buffer.from('this is no model'));
    expect(broken.status).to.equal('failed');
    const model = await aModel(client, `model-${n}`);
    expect(model.status).to.equal('active');
    const deploy = (name: string, replicas: number) =>
      client.post<EndpointView>('/endpoints', { name: `${name}-${n}`, model_id: model.id, replicas });
    const served = await deploy('served', 1);
    expect((await settledEndpoint(client, served)).status).to.equal('running');
    const cancelled = await deploy('cancelled', 1);
    const workflow_id = cancelled.body.workflow_id ?? '';
    // It may have ended before.
    await client.post(`/workflows/${workflow_id}/cancel`, {}).catch(() => null);
    await ended(workflow_id);
    for (const { body } of [served, cancelled]) {
      const deletion = await client.delete<EndpointView>(`/endpoints/${body.id}`).catch(() => null);
      if (deletion) expect((await settledEndpoint(client, deletion)).status).to.equal('deleted');
    }
    for (const { id } of [model, broken]) await client.delete(`/models/${id}`);
  };

  it('leave nothing but what has ended, and of that a stated amount', async () => {
    await cycle(0);
    const settled = () =>
      eventually('all work is done', async () => {
        const found = await holdings();
        return found.rows.open_intents === 0 && found.replicas === 0 ? found : null;
      });
    const before = await settled();
    const filesBefore = await openFiles();
    const grown = async () => ({
      facts: await count('log_events'),
      rows: (await count('process_instances')) + (await count('process_intents')),
    });
    const start = await grown();
    const numbers = Array.from({ length: CYCLES }, (_, n) => n + 1);
    await Promise.all(
      [0, 1].map(async (lane) => {
        for (const n of numbers.filter((each) => each % 2 === lane)) await cycle(n);
      }),
    );
    await eventually('nothing is left', async () => expect(await holdings()).to.deep.equal(before), {
      timeoutMs: 60_000,
    });
    expect(await openFiles()).to.deep.equal(filesBefore);
    const end = await grown();
    const a = (figure: 'facts' | 'rows') => (end[figure] - start[figure]) / CYCLES;
    expect(a('facts')).to.be.at.most(FACTS_A_CYCLE);
    expect(a('rows')).to.be.at.most(ROWS_A_CYCLE);
  });

  it('is what docs/operations.md states', async () => {
    const text = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8');
    expect(text).to.contain(`at most ${FACTS_A_CYCLE} facts`).and.contain(`at most ${ROWS_A_CYCLE} rows`);
  });
});
