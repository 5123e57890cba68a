import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import pg from 'pg';
import { startOfProcess } from '../../../src/local/machine/process-identity.ts';
import { eventually } from '../../eventually.ts';
import { type Ask, admin } from '../asking.ts';
import { type BudApp, startBudApp } from '../budapp.ts';

describe('BudApp whose embedded Postgres is killed', function () {
  this.timeout(120_000);
  let dataDir = '';
  let budapp: BudApp;
  let ask: Ask;
  let made = 0;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'budapp-killed-'));
    budapp = await startBudApp(dataDir);
    ({ ask } = await admin(budapp.url));
    await servesAgain();
  });
  after(async () => {
    expect(await budapp.stop()).to.equal(0);
    await rm(dataDir, { recursive: true, force: true });
  });

  const pidFile = () =>
    readFile(join(dataDir, 'postgres', 'pg18', 'postmaster.pid'), 'utf8').then((text) => text.split('\n'));
  const postmaster = async (): Promise<number> => Number((await pidFile())[0]);

  /** Writes a project, and reads it from its read model. */
  const servesAgain = async (): Promise<void> => {
    made += 1;
    const name = `after ${made}`;
    const created = await eventually('a project is created', async () => {
      const reply = await ask('POST', '/projects', { json: { name }, headers: { 'idempotency-key': name } });
      return reply.status === 201 ? reply : null;
    });
    const headers = { 'min-position': created.headers.get('position') ?? '' };
    await eventually('it is read', async () => {
      const { status, body } = await ask('GET', `/projects/${created.body.id}`, { headers });
      return status === 200 && body.name === name ? true : null;
    });
    await eventually('BudApp is ready', async () => ((await ask('GET', '/health/ready')).status === 200 ? true : null));
  };

  it('starts it again, and serves', async () => {
    const killed = await postmaster();
    process.kill(killed, 'SIGKILL');
    await eventually('another one runs', async () =>
      (await postmaster().catch(() => killed)) === killed ? null : true,
    );
    await servesAgain();
    expect(budapp.output())
      .to.contain('the embedded Postgres has ended')
      .and.to.contain('the embedded Postgres works again');
  });

  it('serves again where one connection of many is killed', async () => {
    const [pid, port] = await pidFile().then((lines) => [lines[0], lines[3]]);
    const password = (await readFile(join(dataDir, 'postgres', 'password'), 'utf8')).trim();
    const client = new pg.Client({ connectionString: `postgres://budapp:${password}@127.0.0.1:${port}/budapp` });
    client.on('error', () => undefined);
    await client.connect();
    const { rows } = await client.query('select pg_backend_pid() as pid');
    process.kill(rows[0].pid, 'SIGKILL');
    await eventually('that connection is gone', async () =>
      (await startOfProcess(rows[0].pid)) === null ? true : null,
    );
    await servesAgain();
    expect(String(await postmaster())).to.equal(pid);
  });

  it('starts it again where what guards it is killed', async () => {
    const killed = await postmaster();
    const status = await readFile(`/proc/${killed}/status`, 'utf8');
    process.kill(Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]), 'SIGKILL');
    await eventually('another one runs', async () =>
      (await postmaster().catch(() => killed)) === killed ? null : true,
    );
    await servesAgain();
  });
});
