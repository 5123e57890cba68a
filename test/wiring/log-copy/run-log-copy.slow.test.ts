import { expect } from 'chai';
import { pino } from 'pino';
import { createEventStoreLog } from '../../../src/adapters/eventstore/log.ts';
import { createPostgresLog } from '../../../src/adapters/postgres/log.ts';
import { createPostgresLogImport } from '../../../src/adapters/postgres/log-import.ts';
import { anEvent } from '../../contract/log.ts';
import { aHistory } from '../../contract/log-import.ts';
import { createEventStoreDouble, type EventStoreDouble } from '../../eventstore-double/double.ts';
import { connect, anEvent as proposed } from '../../eventstore-double/opened.ts';
import { eventually } from '../../eventually.ts';
import { openPool } from '../../pool.ts';
import { type TestDatabase, testDatabase } from '../../postgres.ts';
import { startCli } from '../run-cli.ts';

const EVENTS = 300;

/** What whoever writes to the log in Postgres holds while it does. */
const LOCK = "select pg_advisory_lock(hashtextextended('log_events', 0))";
const UNLOCK = "select pg_advisory_unlock(hashtextextended('log_events', 0))";
const WAITING = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";

describe('budapp log copy', function () {
  // Several programs are started, one after the other.
  this.timeout(300_000);
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

  const start = (...args: string[]) =>
    startCli(['log', 'copy', ...args], { connection_string: database.connection_string });
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

  it('goes on after each kill -9 in the middle, and adds nothing twice', async () => {
    const empty = double.size();
    for (const copied of [0, 100]) {
      double.faults.slowDown(10);
      const { child, exited } = start('--from', 'postgres', '--to', double.url, '--batch', '10');
      await eventually('it copies', () => double.size() > empty + copied);
      child.kill('SIGKILL');
      await exited;
      expect(double.size()).to.be.lessThan(EVENTS);
      double.faults.clear();
    }
    const { code, output } = await run('--from', 'postgres', '--to', double.url);
    expect(code, output).to.equal(0);
    expect(output).to.match(/The logs are the same: 300 events/);
  });

  it('goes on after each kill -9 on the way back, too', async () => {
    expect((await run('--from', 'postgres', '--to', double.url)).code).to.equal(0);
    const target = await testDatabase();
    const { pool, close } = openPool(target.connection_string);
    const back = ['--from', double.url, '--to', target.connection_string, '--batch', '5'];
    const held = async () => (await pool.query('select from log_events')).rowCount ?? 0;
    const client = await pool.connect();
    for (const copied of [0, 20]) {
      if (copied === 0) await client.query(LOCK);
      const { child, exited } = start(...back);
      await eventually('it copies', async () => expect(await held()).to.be.at.least(copied));
      // Whoever writes to the log has to wait: the copy is in the middle of it.
      if (copied > 0) await client.query(LOCK);
      await eventually('it waits', async () => (await pool.query(WAITING)).rowCount !== 0);
      child.kill('SIGKILL');
      await exited;
      expect(await held()).to.be.within(copied, EVENTS - 1);
      await client.query(UNLOCK);
    }
    client.release();
    const { code, output } = await run(...back);
    expect(code, output).to.equal(0);
    expect(output).to.match(/The logs are the same: 300 events/);
    await close();
    await target.close();
  });

  it('follows a source that grows, until Ctrl-C, and passes over what is not ours in the target', async () => {
    const foreign = connect(double.url);
    await foreign.append('theirs', [proposed(1), proposed(2)]);
    await foreign.dispose();
    // The target gets its id as well.
    const full = double.size() + 1 + EVENTS;
    const { child, output, exited } = start('--from', 'postgres', '--to', double.url, '--follow');
    await eventually('it has copied all', () => expect(double.size()).to.be.at.least(full));
    await appended();
    await eventually('it has copied the new event', () => expect(double.size()).to.be.above(full));
    child.kill('SIGINT');
    expect(await exited, output()).to.equal(0);
    expect(output()).to.match(/The logs are the same: 301 events/);
  });

  it('leaves a target alone that holds another history, and says where they differ', async () => {
    const log = await createEventStoreLog({ url: double.url, logger: pino({ level: 'silent' }) });
    await log.append('thing-1', [anEvent('of another installation')], { expected: 'none' });
    await log.close();
    const before = double.size();
    const { code, output } = await run('--from', 'postgres', '--to', double.url);
    expect(code, output).to.equal(2);
    expect(output).to.match(/The logs differ: .*thing-/);
    // The id that every log has, whoever asks first.
    expect(double.size()).to.equal(before + 1);
  });

  it('cuts over, says that another log is gone on with, and goes back', async () => {
    const there = await run('--from', 'postgres', '--to', double.url, '--cut-over');
    expect(there.code, there.output).to.equal(0);
    const again = await run('--from', 'postgres', '--to', double.url, '--cut-over');
    expect(again.code, again.output).to.equal(1);
    expect(again.output).to.match(/goes on with --to already/);
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

  it('prints no password, and says what is wrong with an address', async () => {
    for (const [url, said] of [
      ['mysql://me:secret-word@there', /names no log.*esdb:\/\//],
      ['esdb://me:secret-word@127.0.0.1:1?tls=false', /EventStoreDB cannot be reached/],
      ['esdb://me:secret-word@there?tls=perhaps', /malformed address/],
      ['eventstore', /EVENTSTORE_URL is not set/],
    ] as const) {
      const { code, output } = await run('--from', 'postgres', '--to', url);
      expect(code, output).to.equal(1);
      expect(output).to.match(said).and.not.include('secret-word');
    }
  });
});
