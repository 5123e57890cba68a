import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import pg from 'pg';
import { createPostgresLog } from '../../../src/adapters/postgres/log.ts';
import { LOG_CHANNEL, LOG_TABLE } from '../../../src/adapters/postgres/log-row.ts';
import { Rejected, WrongExpectedRevision } from '../../../src/errors.ts';
import type { Log } from '../../../src/ports/log.ts';
import { anEvent, collect, isEvent } from '../../contract/log.ts';
import { eventually } from '../../eventually.ts';
import { failureOf } from '../../failure-of.ts';
import { openPool } from '../../pool.ts';
import { type TestDatabase, testDatabase } from '../../postgres.ts';

/** A way to the server that can be cut and opened again. */
const createRoad = async (connectionString: string) => {
  const target = new URL(connectionString);
  const sockets = new Set<Socket>();
  const road: Server = createServer((client) => {
    const server = connect(Number(target.port), target.hostname);
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    client.pipe(server).pipe(client);
  });
  const open = async (port = 0): Promise<void> => {
    road.listen(port, '127.0.0.1');
    await once(road, 'listening');
  };
  await open();
  const address = road.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const url = new URL(target);
  url.port = String(address.port);
  const cut = async (): Promise<void> => {
    if (!road.listening) return;
    const closed = once(road, 'close');
    road.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return { connection_string: url.href, cut, reopen: () => open(address.port) };
};

describe('the log in Postgres', () => {
  let database: TestDatabase;
  let admin: pg.Pool;
  let closeAdmin: () => Promise<void>;
  const logs: Log[] = [];

  const openLog = async (options: Partial<Parameters<typeof createPostgresLog>[0]> = {}): Promise<Log> => {
    const log = await createPostgresLog({ connectionString: database.connection_string, ...options });
    logs.push(log);
    return log;
  };

  const terminateOthers = (): Promise<unknown> =>
    admin.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    );

  beforeEach(async () => {
    database = await testDatabase();
    ({ pool: admin, close: closeAdmin } = openPool(database.connection_string, 2));
  });

  afterEach(async () => {
    await Promise.all(logs.splice(0).map((log) => log.close()));
    await closeAdmin();
    await database.close();
  });

  it('shows a live reader every event of several writer processes exactly once and in order', async () => {
    const log = await openLog();
    const writer = fileURLToPath(new URL('log-writer.ts', import.meta.url));
    const names = ['a', 'b', 'c'];
    const ends = names.map((name) =>
      once(fork(writer, [database.connection_string, name, '2000', '40'], { stdio: 'inherit' }), 'exit'),
    );
    const seen: string[] = [];
    const positions: string[] = [];
    const next = new Map<string, number>();
    for await (const item of log.subscribe({ after: 'start', live: true })) {
      if (!isEvent(item)) continue;
      seen.push(String(item.data));
      positions.push(item.position);
      expect(item.revision).to.equal(next.get(item.stream) ?? 0);
      next.set(item.stream, item.revision + 1);
      if (seen.length === 6000) break;
    }
    for (const [code] of await Promise.all(ends)) expect(code).to.equal(0);
    const everything = names.flatMap((name) => Array.from({ length: 2000 }, (_, n) => `${name}:${n}`));
    expect(seen.toSorted()).to.deep.equal(everything.toSorted());
    expect(positions).to.deep.equal(positions.toSorted());
    expect(await log.head()).to.equal(positions.at(-1));
  }).timeout(300_000);

  it('lets exactly one of the racing creates of several logs win', async () => {
    const several = await Promise.all(Array.from({ length: 5 }, () => openLog()));
    const attempts = Array.from({ length: 50 }, (_, n) =>
      several[n % 5]!.append('thing-1', [anEvent(n)], { expected: 'none' }),
    );
    const outcomes = await Promise.allSettled(attempts);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).to.be.instanceOf(WrongExpectedRevision);
  });

  it('goes on reading live after its connections were ended, without gap or repeat', async () => {
    const log = await openLog();
    const writer = await openLog();
    const seen: unknown[] = [];
    let appended = 0;
    const append = () => writer.append('thing-1', [anEvent(appended++)], { expected: 'any' });
    for await (const item of log.subscribe({ after: 'start', live: true })) {
      if (isEvent(item)) seen.push(item.data);
      else {
        // Between two rounds, and once in the middle of waiting: each time every connection there is.
        if (seen.length >= 5) break;
        await terminateOthers();
        await append();
      }
    }
    expect(seen).to.deep.equal([0, 1, 2, 3, 4]);
  });

  it('is notified of new events again after the listening connection was ended', async () => {
    const log = await openLog({ pollInterval: 3_600_000 });
    const abort = new AbortController();
    const reader = log.subscribe({ after: 'start', live: true, signal: abort.signal })[Symbol.asyncIterator]();
    await reader.next();
    const waiting = reader.next();
    const listeners = async (): Promise<unknown[]> =>
      (
        await admin.query(
          `select pid from pg_stat_activity where datname = current_database() and query = 'listen ${LOG_CHANNEL}' and state = 'idle'`,
        )
      ).rows;
    await eventually('it listens', async () => expect(await listeners()).to.have.lengthOf(1), { longestPauseMs: 1 });
    const [before] = await listeners();
    await terminateOthers();
    await eventually('it listens again', async () => {
      const [now] = await listeners();
      return now && expect(now).not.to.deep.equal(before);
    });
    await log.append('thing-1', [anEvent('heard')], { expected: 'any' });
    expect((await waiting).value).to.include({ data: 'heard' });
    abort.abort();
  });

  it('reads live by polling alone where no notification arrives', async () => {
    const log = await openLog({ pollInterval: 10 });
    const reader = log.subscribe({ after: 'start', live: true })[Symbol.asyncIterator]();
    await reader.next();
    const waiting = reader.next();
    // Written past append_to_log(), so nobody is notified.
    const { id, type, version, data, meta } = anEvent('silent');
    await admin.query(`insert into ${LOG_TABLE} values (1, $1, 'thing-1', 0, $2, $3, $4, $5, now())`, [
      id,
      type,
      version,
      JSON.stringify(data),
      JSON.stringify(meta),
    ]);
    expect((await waiting).value).to.include({ data: 'silent', position: '0000000000000001' });
    await reader.return?.();
  });

  it('appends once though the connection was lost while it waited for the answer', async () => {
    const road = await createRoad(database.connection_string);
    const log = await openLog({ connectionString: road.connection_string });
    const blocker = await admin.connect();
    // Holds the log's lock, so that the appends are under way when the road is cut.
    await blocker.query("begin; select pg_advisory_xact_lock(hashtextextended('log_events', 0))");
    const appends = Array.from({ length: 10 }, (_, n) => log.append(`thing-${n}`, [anEvent(n)], { expected: 'none' }));
    const waiting = `select from pg_stat_activity where datname = current_database() and wait_event = 'advisory'`;
    await eventually('an append waits', async () => (await admin.query(waiting)).rowCount !== 0);
    await road.cut();
    await blocker.query('commit');
    blocker.release();
    await road.reopen();
    expect((await Promise.all(appends)).map(({ revision }) => revision)).to.deep.equal(Array(10).fill(0));
    const events = await collect(log.subscribe({ after: 'start', live: false }));
    expect(events.filter(isEvent)).to.have.length(10);
    await road.cut();
  });

  it('refuses as unavailable, in time, while the server cannot be reached, and works again afterwards', async () => {
    const road = await createRoad(database.connection_string);
    const log = await openLog({ connectionString: road.connection_string, timeout: 300 });
    await road.cut();
    for (const attempt of [() => log.append('thing-1', [anEvent()], { expected: 'any' }), () => log.head()]) {
      const began = performance.now();
      const error: unknown = await attempt().catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(Rejected).and.include({ kind: 'unavailable', code: 'log-unavailable' });
      expect(performance.now() - began).to.be.within(200, 30_000);
    }
    await road.reopen();
    expect(await log.append('thing-2', [anEvent()], { expected: 'none' })).to.include({ revision: 0 });
    await road.cut();
  });

  it('refuses an append that the server will not take, and only that one', async () => {
    const log = await openLog();
    const bad = { ...anEvent(), type: 'with\u0000zero' };
    const outcomes = await Promise.allSettled([
      log.append('thing-1', [anEvent()], { expected: 'none' }),
      log.append('thing-2', [bad], { expected: 'none' }),
      log.append('thing-3', [anEvent()], { expected: 'none' }),
    ]);
    expect(outcomes.map(({ status }) => status)).to.deep.equal(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('gathers concurrent appends into few commits', async () => {
    const log = await openLog();
    await Promise.all(
      Array.from({ length: 200 }, (_, n) => log.append(`thing-${n}`, [anEvent()], { expected: 'none' })),
    );
    const { rows } = await admin.query(`select count(distinct xmin::text)::int as commits from ${LOG_TABLE}`);
    expect(rows[0].commits).to.be.at.most(5);
  });

  it('notifies once a commit, with the newest position', async () => {
    const log = await openLog();
    const listener = new pg.Client({ connectionString: database.connection_string });
    await listener.connect();
    await listener.query(`listen ${LOG_CHANNEL}`);
    const heard = once(listener, 'notification');
    const { position } = await log.append('thing-1', [anEvent(), anEvent(), anEvent()], { expected: 'none' });
    const [{ payload }] = await heard;
    expect(payload).to.equal(String(Number(position)));
    await listener.end();
  });

  it('refuses to change or remove what has been written', async () => {
    const log = await openLog();
    await log.append('thing-1', [anEvent()], { expected: 'none' });
    for (const change of [
      `update ${LOG_TABLE} set type = 'Other'`,
      `delete from ${LOG_TABLE}`,
      `truncate ${LOG_TABLE}`,
    ]) {
      const error: unknown = await admin.query(change).catch((reason: unknown) => reason);
      expect(error, change).to.be.instanceOf(pg.DatabaseError).and.include({ code: '23001' });
    }
    expect(await collect(log.readStream('thing-1'))).to.have.length(1);
  });

  it('never lets time in the log go backwards', async () => {
    const log = await openLog();
    const { id, type, version, meta } = anEvent();
    const future = '2999-01-01T00:00:00.000Z';
    await admin.query(`insert into ${LOG_TABLE} values (1, $1, 'thing-1', 0, $2, $3, '{}', $4, $5)`, [
      id,
      type,
      version,
      JSON.stringify(meta),
      future,
    ]);
    await log.append('thing-1', [anEvent()], { expected: 0 });
    const events = await collect(log.readStream('thing-1'));
    expect(events.map(({ at }) => at)).to.deep.equal([future, future]);
  });

  it('says at once where the schema is missing', async () => {
    await admin.query('create schema empty');
    const url = new URL(database.connection_string);
    url.searchParams.set('options', '-c search_path=empty');
    const error: unknown = await createPostgresLog({ connectionString: url.href }).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(pg.DatabaseError).and.include({ code: '42P01' });
  });

  it('tells live readers where another server took over that had not got the newest transactions', async () => {
    const log = await createPostgresLog({ connectionString: database.connection_string, pollInterval: 20 });
    const { pool, close } = openPool(database.connection_string);
    for (let n = 0; n < 3; n += 1) await log.append(`lost-${n}`, [anEvent(n)], { expected: 'none' });
    const reader = log.subscribe({ after: 'start', live: true })[Symbol.asyncIterator]();
    const readOn = async (): Promise<void> => {
      for (let item = await reader.next(); !item.done && !('caughtUp' in item.value); ) item = await reader.next();
    };
    await readOn();
    const live = readOn();
    await log.append('lost-live', [anEvent()], { expected: 'none' });
    await live;
    const waiting = failureOf(reader.next());
    const client = await pool.connect();
    await client.query("set session_replication_role = 'replica'");
    await client.query('delete from log_events where "position" = (select max("position") from log_events)');
    client.release(true);
    expect(await waiting).to.include({ code: 'unknown-position' });
    await log.close();
    await close();
  });
});
