import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import pg from 'pg';
import { startOfProcess } from '../../../src/local/machine/process-identity.ts';
import { createEmbeddedPostgres } from '../../../src/local/postgres/embedded-postgres.ts';
import { eventually } from '../../eventually.ts';

const OWNER = fileURLToPath(new URL('embedded-postgres-owner.ts', import.meta.url));

const query = async (connectionString: string, sql: string): Promise<Record<string, unknown>[]> => {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
};

describe('the embedded Postgres', function () {
  this.timeout(300_000);
  let data_dir: string;
  const children: ChildProcess[] = [];

  beforeEach(async () => {
    // Readable by nobody else, as a folder below /root is.
    data_dir = await mkdtemp(join(tmpdir(), 'budapp-embedded-'));
  });

  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    // The server of a killed owner is still on its way out.
    await gone(await postmaster().catch(() => 0));
    await rm(data_dir, { recursive: true, force: true });
  });

  const startOwner = async (): Promise<{ child: ChildProcess; connection_string: string }> => {
    const child = fork(OWNER, [data_dir], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    children.push(child);
    const [message] = await once(child, 'message');
    return { child, connection_string: message.connection_string };
  };

  const postmaster = async (): Promise<number> =>
    Number((await readFile(join(data_dir, 'pg18', 'postmaster.pid'), 'utf8')).split('\n')[0]);

  const gone = async (pid: number): Promise<void> => {
    await eventually('the server has ended', async () => pid <= 0 || (await startOfProcess(pid)) === null);
  };

  it('keeps data and password over a restart, and leaves no process behind', async () => {
    const first = await createEmbeddedPostgres({ data_dir });
    await query(first.connection_string, "create table kept as select 'ünï' as word");
    const pid = await postmaster();
    await first.close();
    await first.close();
    expect(await startOfProcess(pid)).to.equal(null);
    const second = await createEmbeddedPostgres({ data_dir });
    expect(await query(second.connection_string, 'select word from kept')).to.deep.equal([{ word: 'ünï' }]);
    expect(new URL(second.connection_string).password).to.equal(new URL(first.connection_string).password);
    await second.close();
  });

  it('asks for its password, which nobody else can read', async () => {
    const { connection_string, close } = await createEmbeddedPostgres({ data_dir });
    const wrong = new URL(connection_string);
    wrong.password = 'wrong';
    const error: unknown = await query(wrong.href, 'select').catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(pg.DatabaseError).and.include({ code: '28P01' });
    expect((await stat(join(data_dir, 'password'))).mode & 0o777).to.equal(0o600);
    expect((await stat(join(data_dir, 'pg18'))).mode & 0o777).to.equal(0o700);
    await close();
  });

  it('refuses a second BudApp on the same folder while the first lives', async () => {
    const { child } = await startOwner();
    const error: unknown = await createEmbeddedPostgres({ data_dir }).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(Error);
    expect(String(error)).to.include(`process ${child.pid}`).and.include('DATA_DIR');
  });

  it('ends with its owner, even where that is killed, and starts again with everything committed', async () => {
    const { child, connection_string } = await startOwner();
    await query(connection_string, 'create table kept (n integer); insert into kept values (42)');
    const pid = await postmaster();
    child.kill('SIGKILL');
    await gone(pid);
    const next = await createEmbeddedPostgres({ data_dir });
    expect(await query(next.connection_string, 'select n from kept')).to.deep.equal([{ n: 42 }]);
    await next.close();
  });

  it('stops the server that outlived its owner and its guard, and takes the folder over', async () => {
    const { child, connection_string } = await startOwner();
    await query(connection_string, 'create table kept (n integer); insert into kept values (42)');
    const pid = await postmaster();
    if (process.platform === 'linux') {
      const status = await readFile(`/proc/${pid}/status`, 'utf8');
      process.kill(Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]), 'SIGKILL');
    }
    child.kill('SIGKILL');
    const next = await createEmbeddedPostgres({ data_dir });
    expect(await startOfProcess(pid)).to.equal(null);
    expect(await query(next.connection_string, 'select n from kept')).to.deep.equal([{ n: 42 }]);
    await next.close();
  });

  it('starts where a crash left an owner and a server on record whose pids now belong to others', async () => {
    const first = await createEmbeddedPostgres({ data_dir });
    await first.close();
    await writeFile(join(data_dir, 'owner.json'), JSON.stringify({ pid: process.pid, started: 'long ago' }));
    await writeFile(
      join(data_dir, 'pg18', 'postmaster.pid'),
      `${process.pid}\n${join(data_dir, 'pg18')}\n1\n1\n\n127.0.0.1\n\nready\n`,
    );
    const second = await createEmbeddedPostgres({ data_dir });
    expect(await query(second.connection_string, 'select 1 as n')).to.deep.equal([{ n: 1 }]);
    await second.close();
  });

  it('starts over where the setup was interrupted', async () => {
    const first = await createEmbeddedPostgres({ data_dir });
    await first.close();
    await rename(join(data_dir, 'pg18'), join(data_dir, 'pg18.unfinished'));
    const second = await createEmbeddedPostgres({ data_dir });
    expect(await query(second.connection_string, 'select 1 as n')).to.deep.equal([{ n: 1 }]);
    await second.close();
  });

  it('says why it does not start', async () => {
    const error: unknown = await createEmbeddedPostgres({ data_dir, settings: { shared_buffers: 'lots' } }).catch(
      (reason: unknown) => reason,
    );
    expect(String(error)).to.include('shared_buffers');
    const next = await createEmbeddedPostgres({ data_dir });
    await next.close();
  });
});
