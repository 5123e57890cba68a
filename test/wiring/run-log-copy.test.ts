import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'chai';
import { createPostgresLog } from '../../src/adapters/postgres-log.ts';
import { createPostgresLogImport } from '../../src/adapters/postgres-log-import.ts';
import { anEvent } from '../contract/log.ts';
import { aHistory } from '../contract/log-import.ts';
import { createEventStoreDouble, type EventStoreDouble } from '../eventstore-double/double.ts';
import { openPool } from '../pool.ts';
import { type TestDatabase, testDatabase } from '../postgres.ts';

const EVENTS = 300;

describe('budapp log copy', () => {
  let database: TestDatabase;
  let double: EventStoreDouble;
  let opened: ReturnType<typeof openPool>;
  beforeEach(async () => {
    database = await testDatabase();
    double = await createEventStoreDouble();
    opened = openPool(database.connection_string);
    await createPostgresLogImport(opened).importEvents(await aHistory(EVENTS));
  });
  afterEach(async () => {
    await opened.close();
    await double.close();
    await database.close();
  });

  const start = (...args: string[]): { child: ChildProcess; output: () => string; exited: Promise<number | null> } => {
    const { hostname, port, username, password, pathname } = new URL(database.connection_string);
    const child = fork(new URL('../../src/cli.ts', import.meta.url), ['log', 'copy', ...args], {
      env: {
        ...process.env,
        POSTGRES_HOST: hostname,
        POSTGRES_PORT: port,
        POSTGRES_USER: username,
        POSTGRES_PASSWORD: password,
        POSTGRES_DB: pathname.slice(1),
        MASTER_KEY: Buffer.alloc(32, 7).toString('base64'),
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: [],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (text: Buffer) => {
        output += String(text);
      });
    }
    return { child, output: () => output, exited: once(child, 'close').then(([code]) => code as number | null) };
  };
  const run = async (...args: string[]) => {
    const { output, exited } = start(...args);
    return { code: await exited, output: output() };
  };
  const appended = async () => {
    const log = await createPostgresLog(opened);
    await log.append('thing-1', [anEvent('late')], { expected: 'exists' });
    await log.close();
  };

  it('copies to EventStoreDB, compares, and says so', async () => {
    const { code, output } = await run('--from', 'postgres', '--to', double.url);
    expect(code, output).to.equal(0);
    expect(output)
      .to.match(/Copied: 300 events \(300 of them new\)/)
      .and.match(/The logs are the same: 300 events in 5/);
  });

  it('goes on after a kill -9 in the middle, and adds nothing twice', async () => {
    double.faults.slowDown(10);
    const { child, exited } = start('--from', 'postgres', '--to', double.url, '--batch', '10');
    while (double.size() < 30) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill('SIGKILL');
    await exited;
    expect(double.size()).to.be.lessThan(EVENTS);
    double.faults.clear();
    const { code, output } = await run('--from', 'postgres', '--to', double.url);
    expect(code, output).to.equal(0);
    expect(output).to.match(/The logs are the same: 300 events/);
  });

  it('cuts over, says that another log is gone on with, and goes back', async () => {
    const there = await run('--from', 'postgres', '--to', double.url, '--cut-over');
    expect(there.code, there.output).to.equal(0);
    const again = await run('--from', 'postgres', '--to', double.url, '--cut-over');
    expect(again.code, again.output).to.equal(1);
    expect(again.output).to.match(/belong to another log than --from/);
    const back = await run('--from', double.url, '--to', 'postgres', '--cut-over');
    expect(back.code, back.output).to.equal(0);
  });

  it('exits with 3 where the source has moved on, and with 2 where the target has', async () => {
    expect((await run('--from', 'postgres', '--to', double.url)).code).to.equal(0);
    await appended();
    const behind = await run('--from', 'postgres', '--to', double.url, '--verify');
    expect(behind.code, behind.output).to.equal(3);
    expect(behind.output).to.match(/The target ends after the first 300 events/);
    const ahead = await run('--from', double.url, '--to', 'postgres');
    expect(ahead.code, ahead.output).to.equal(2);
  });

  it('prints no password, and names the ways to name a log', async () => {
    const { code, output } = await run('--from', 'postgres', '--to', 'mysql://me:secret-word@there');
    expect(code).to.equal(1);
    expect(output)
      .to.match(/esdb:\/\//)
      .and.not.include('secret-word');
  });
});
