import { expect } from 'chai';
import type { Pool } from 'pg';
import { pino } from 'pino';
import { createMemoryLog } from '../../../src/adapters/memory-log.ts';
import { Rejected } from '../../../src/errors.ts';
import type { Position } from '../../../src/events/event.ts';
import { EndpointId } from '../../../src/events/ids.ts';
import type { Log } from '../../../src/ports/log.ts';
import { readModelCatalog } from '../../../src/projections/catalog.ts';
import { endpoints } from '../../../src/projections/endpoints.ts';
import { createProjectionOperations } from '../../../src/projections/engine/operations.ts';
import { createProjectionRunner, type ProjectionRunner } from '../../../src/projections/engine/runner.ts';
import { type ReadModel, readModelOf } from '../../../src/projections/read-model.ts';
import { listeningLogger } from '../../adapters/eventstore/fixture.ts';
import { eventually } from '../../eventually.ts';
import { failureOf } from '../../failure-of.ts';
import { openPool } from '../../pool.ts';
import { type TestDatabase, testDatabase } from '../../postgres.ts';
import { anEvent, reported, type Started, startEndpoint, startProject } from '../facts.ts';

const logger = pino({ level: 'silent' });
const idOf = ({ id }: Started) => EndpointId.parse(id);

describe('the projection runner', () => {
  let database: TestDatabase;
  let pool: Pool;
  let closePool: () => Promise<void>;
  let log: Log;
  let runners: ProjectionRunner[];

  const start = (owner: string, options: Partial<Parameters<typeof createProjectionRunner>[0]> = {}) => {
    const runner = createProjectionRunner({
      log,
      pool,
      owner,
      logger,
      lease_ttl_ms: 1000,
      rebuild_poll_ms: 20,
      ...options,
    });
    runners.push(runner);
    return runner;
  };

  const caughtUp = (name: string, position: Position | null, from = pool) =>
    eventually(`${name} is at ${position}`, async () => {
      const { rows } = await from.query('select position from projections where name = $1', [name]);
      return rows[0]?.position >= (position ?? '');
    });

  const rowOf = async ({ id }: Started, table = 'endpoints') =>
    (await pool.query(`select * from ${table} where id = $1`, [id])).rows[0];

  beforeEach(async () => {
    database = await testDatabase();
    const opened = openPool(database.connection_string, 8);
    pool = opened.pool;
    closePool = opened.close;
    log = createMemoryLog();
    runners = [];
  });

  afterEach(async () => {
    await Promise.all(runners.map((runner) => runner.close()));
    await log.close();
    await closePool();
    await database.close();
  });

  it('shows what happened before it started and what happens afterwards', async () => {
    const early = await startEndpoint(log);
    start('one');
    const late = await startEndpoint(log);
    const position = await late.append(reported(idOf(late), 1));
    await Promise.all([caughtUp('endpoints', position), caughtUp('audit_log', position)]);
    expect((await rowOf(early)).revision).to.equal(0);
    expect(await rowOf(late)).to.deep.include({ revision: 1, position });
    expect((await pool.query('select count(*)::int as n from audit_log')).rows[0].n).to.equal(3);
  });

  it('moves every checkpoint on, also of read models that nothing happened to', async () => {
    start('one');
    await startProject(log);
    const position = await log.head();
    await Promise.all(['projects', 'users', 'endpoints', 'audit_log'].map((name) => caughtUp(name, position)));
  });

  it('keeps what Postgres cannot store by replacing it', async () => {
    start('one');
    const project = await startProject(log, { name: 'nul \0 and half \ud800 a pair' });
    await caughtUp('projects', await log.head());
    expect((await rowOf(project, 'projects')).name).to.equal('nul \uFFFD and half \uFFFD a pair');
  });

  it('lets exactly one of two runners work, and the other take over', async () => {
    const first = start('one');
    const owners = async () => new Set((await first.status()).map(({ owner }) => owner));
    const allWith = (owner: string) =>
      eventually(`${owner} has everything`, async () => {
        const seen = await owners();
        return seen.size === 1 && seen.has(owner);
      });
    await allWith('one');
    start('two');
    await startProject(log);
    await caughtUp('audit_log', await log.head());
    expect(await owners()).to.deep.equal(new Set(['one']));
    await first.close();
    const project = await startProject(log);
    await caughtUp('projects', await log.head());
    expect((await rowOf(project, 'projects')).revision).to.equal(0);
    await allWith('two');
  });

  it('refuses the write of an owner that was paused and replaced', async () => {
    const lines: string[] = [];
    // Too long for it to find out by renewing: the transaction itself must refuse.
    start('one', { lease_ttl_ms: 60_000, logger: pino({ level: 'info' }, { write: (line) => lines.push(line) }) });
    const endpoint = await startEndpoint(log);
    await caughtUp('endpoints', await log.head());
    // As if another process had taken over while this one was paused: its token is not the newest any more.
    await pool.query("update leases set token = token + 1, owner = 'other', expires_at = now() + interval '1 hour'");
    await endpoint.append(reported(idOf(endpoint), 1));
    await eventually('the old owner is refused', async () => lines.some((line) => line.includes('LeaseLost')));
    expect((await rowOf(endpoint)).revision).to.equal(0);
    await pool.query("update leases set expires_at = '-infinity'");
    start('three');
    await caughtUp('endpoints', await log.head());
    expect((await rowOf(endpoint)).revision).to.equal(1);
  });

  it('goes on after its connections were cut', async () => {
    start('one');
    const endpoint = await startEndpoint(log);
    await caughtUp('endpoints', await log.head());
    for (let n = 0; n < 5; n += 1) {
      await pool.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      );
      await endpoint.append(reported(idOf(endpoint), n));
    }
    await caughtUp('endpoints', await log.head());
    expect((await rowOf(endpoint)).revision).to.equal(5);
  });

  describe('with an event that its reducer cannot take in', () => {
    let broken: boolean;
    const real = readModelOf(endpoints);
    const fragile: ReadModel = {
      ...real,
      next: (row, event) => {
        if (broken && event.type === 'EndpointReplicasReported' && event.revision === 2) throw new Error('it hurts');
        return real.next(row, event);
      },
    };

    beforeEach(() => {
      broken = true;
    });

    const parkOne = async () => {
      start('one', { projections: [fragile] });
      const operations = createProjectionOperations({ pool, log, models: [fragile] });
      const ill = await startEndpoint(log);
      const well = await startEndpoint(log);
      await ill.append(reported(idOf(ill), 1), reported(idOf(ill), 2), reported(idOf(ill), 1));
      await well.append(reported(idOf(well), 1));
      await caughtUp('endpoints', await log.head());
      return { operations, ill, well };
    };

    it('parks its stream, where later events wait, and continues with the others', async () => {
      const { operations, ill, well } = await parkOne();
      expect((await rowOf(ill)).revision).to.equal(1);
      expect((await rowOf(well)).revision).to.equal(1);
      await caughtUp('endpoints', await ill.append(reported(idOf(ill), 0)));
      const parked = await operations.listParked();
      expect(parked).to.have.length(1);
      expect(parked[0]).to.deep.include({ stream: ill.stream, revision: 2, waiting: 2, attempts: 3 });
      expect(parked[0]?.error).to.contain('it hurts');
      expect((await rowOf(ill)).revision).to.equal(1);
    });

    it('handles the event and those behind it once it is retried', async () => {
      const { operations, ill } = await parkOne();
      const [parked] = await operations.listParked();
      expect(await operations.retryParked(parked?.id ?? '')).to.deep.equal({ resumed: false });
      broken = false;
      const [again] = await operations.listParked();
      expect(again?.attempts).to.equal(4);
      expect(await operations.retryParked(again?.id ?? '')).to.deep.equal({ resumed: true });
      expect(await operations.listParked()).to.deep.equal([]);
      expect((await rowOf(ill)).revision).to.equal(3);
      await caughtUp('endpoints', await ill.append(reported(idOf(ill), 0)));
      expect((await rowOf(ill)).revision).to.equal(4);
    });

    it('skips the event and handles those behind it', async () => {
      const { operations, ill } = await parkOne();
      const [parked] = await operations.listParked();
      expect(await operations.skipParked(parked?.id ?? '')).to.deep.equal({ resumed: true });
      expect((await rowOf(ill)).observed.replicas.available).to.equal(1);
      expect((await rowOf(ill)).revision).to.equal(3);
    });

    it('refuses to retry what is not parked', async () => {
      const { operations } = await parkOne();
      const refusal = await operations.retryParked('999').catch((error: unknown) => error);
      expect(refusal).to.have.property('code', 'parked-event-not-found');
    });
  });

  it('stores the id of the event at each checkpoint, also where a newer event concerns no read model', async () => {
    start('one');
    const endpoint = await startEndpoint(log);
    await endpoint.append(reported(idOf(endpoint), 1));
    await log.append('other-1', [anEvent(reported(idOf(endpoint), 2))], { expected: 'none' });
    const head = await log.head();
    for (const { name } of readModelCatalog) await caughtUp(name, head);
    const { rows } = await pool.query('select name, position, event_id from projections');
    for (const { name, position, event_id } of rows)
      expect({ name, standing: await log.eventAt(position) }).to.deep.equal({ name, standing: { id: event_id } });
  });

  it('keeps the serving table where the log ends before what the table shows of it', async () => {
    start('one');
    const endpoint = await startEndpoint(log);
    const before = await log.head();
    await endpoint.append(reported(idOf(endpoint), 1));
    await caughtUp('endpoints', await log.head());
    await Promise.all(runners.splice(0).map((runner) => runner.close()));
    const shorter: Log = {
      ...log,
      head: async () => before,
      subscribe: async function* (options) {
        for await (const item of log.subscribe(options))
          if (item.position !== null && before !== null && item.position > before)
            yield { caughtUp: true, position: before };
          else yield item;
      },
    };
    const { lines, logger } = listeningLogger();
    await createProjectionOperations({ pool, log }).rebuild('endpoints');
    runners.push(createProjectionRunner({ log: shorter, pool, owner: 'two', logger, rebuild_poll_ms: 20 }));
    await eventually('the build has failed', () =>
      lines.some(({ msg }) => msg.includes('building a read model failed')),
    );
    expect((await rowOf(endpoint)).revision).to.equal(1);
  });

  it('neither takes nor makes a rebuild while the log is behind', async () => {
    const behind = new Rejected('unavailable', 'log-behind', 'The log has lost events.');
    let isOpen = true;
    const fence = {
      assertOpen: () => {
        if (!isOpen) throw behind;
      },
    };
    const operations = createProjectionOperations({ pool, log, fence });
    const generation = async () =>
      (await pool.query("select generation from projections where name = 'endpoints'")).rows[0]?.generation;
    start('one', { fence });
    await startEndpoint(log);
    await caughtUp('endpoints', await log.head());
    await operations.rebuild('endpoints');
    await eventually('it is rebuilt', async () => (await generation()) === 2);
    isOpen = false;
    expect(await failureOf(operations.rebuild('endpoints'))).to.equal(behind);
    await pool.query("update projections set rebuild_requested_at = now() where name = 'endpoints'");
    await caughtUp('endpoints', await startEndpoint(log).then(() => log.head()));
    expect(await generation()).to.equal(2);
    isOpen = true;
    await eventually('it is rebuilt then', async () => (await generation()) === 3);
  });

  it('retries by itself what an older version parked because of an unknown fact', async () => {
    const old = start('old');
    const endpoint = await startEndpoint(log);
    const other = await startEndpoint(log);
    const known = anEvent(reported(idOf(endpoint), 1));
    await log.append(endpoint.stream, [{ ...known, type: 'EndpointPainted', version: 1 }], { expected: 0 });
    await log.append(other.stream, [{ ...anEvent(reported(idOf(other), 1)), version: 99 }], { expected: 0 });
    await endpoint.append(reported(idOf(endpoint), 2));
    await caughtUp('endpoints', await log.head());
    const operations = createProjectionOperations({ pool, log });
    expect(await operations.listParked()).to.have.length(2);
    await old.close();
    const real = readModelOf(endpoints);
    const newer: ReadModel = {
      ...real,
      next: (row, event) =>
        event.type === 'EndpointPainted' ? real.next(row, { ...event, type: known.type }) : real.next(row, event),
    };
    start('new', { projections: [newer] });
    await eventually('the retry is over', async () => (await rowOf(endpoint)).revision === 2);
    const parked = () => operations.listParked();
    await eventually('the retry has failed again', async () => (await parked())[0]?.attempts === 4);
    expect((await parked()).map(({ stream }) => stream)).to.deep.equal([other.stream]);
  });

  it('leaves what was parked over anything else for operators', async () => {
    const real = readModelOf(endpoints);
    const broken: ReadModel = {
      ...real,
      next: (row, event) => {
        if (event.revision === 1) throw new Error('it hurts');
        return real.next(row, event);
      },
    };
    const old = start('old', { projections: [broken] });
    const endpoint = await startEndpoint(log);
    await endpoint.append(reported(idOf(endpoint), 1));
    await caughtUp('endpoints', await log.head());
    await old.close();
    start('new');
    await caughtUp('audit_log', await log.head());
    const later = await startEndpoint(log);
    await caughtUp('endpoints', await log.head());
    expect((await rowOf(later)).revision).to.equal(0);
    expect(await createProjectionOperations({ pool, log }).listParked()).to.have.length(1);
  });

  it('parks a row that breaks its schema instead of storing it', async () => {
    const real = readModelOf(endpoints);
    const buggy: ReadModel = {
      ...real,
      next: (row, event) => {
        const next = real.next(row, event);
        return next && event.revision > 0 ? { ...next, status: 'upside-down' } : next;
      },
    };
    start('one', { projections: [buggy] });
    const endpoint = await startEndpoint(log);
    await endpoint.append(reported(idOf(endpoint), 1));
    await caughtUp('endpoints', await log.head());
    expect(await rowOf(endpoint)).to.deep.include({ status: 'pending', revision: 0 });
    expect(await createProjectionOperations({ pool, log }).listParked()).to.have.length(1);
  });

  it('parks only the stream whose row the database refuses', async () => {
    await pool.query("alter table projects add constraint no_evil check (name <> 'evil')");
    start('one');
    const evil = await startProject(log, { name: 'evil' });
    const good = await startProject(log, { name: 'good' });
    await caughtUp('projects', await log.head());
    expect(await rowOf(evil, 'projects')).to.equal(undefined);
    expect((await rowOf(good, 'projects')).name).to.equal('good');
    const operations = createProjectionOperations({ pool, log });
    const [parked] = await operations.listParked();
    expect(await operations.retryParked(parked?.id ?? '')).to.deep.equal({ resumed: false });
    await pool.query('alter table projects drop constraint no_evil');
    expect(await operations.retryParked(parked?.id ?? '')).to.deep.equal({ resumed: true });
    expect((await rowOf(evil, 'projects')).name).to.equal('evil');
  });

  it('rebuilds on request beside the table that serves, while events flow in', async () => {
    const runner = start('one');
    const endpoint = await startEndpoint(log);
    await caughtUp('endpoints', await log.head());
    await pool.query("update endpoints set name = 'spoilt'");
    let flowing = true;
    const flow = (async () => {
      for (let n = 0; flowing; n += 1) {
        await endpoint.append(reported(idOf(endpoint), n % 3));
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    const operations = createProjectionOperations({ pool, log });
    await operations.rebuild('endpoints');
    await eventually(
      'the tables are swapped',
      async () => (await runner.status()).find(({ name }) => name === 'endpoints')?.swapped_at,
    );
    flowing = false;
    await flow;
    const events: number[] = [];
    for await (const event of log.readStream(endpoint.stream)) events.push(event.revision);
    await caughtUp('endpoints', await log.head());
    expect(await rowOf(endpoint)).to.deep.include({ name: 'reader', revision: events.length - 1 });
  });

  it('builds a new version beside the old one, which keeps serving, and swaps', async () => {
    const old = start('old', { projections: [readModelOf(endpoints)] });
    const endpoint = await startEndpoint(log);
    await caughtUp('endpoints', await log.head());
    const version = endpoints.version + 1;
    const loud: ReadModel = { ...readModelOf(endpoints), version };
    const shouting: ReadModel = {
      ...loud,
      check: (row) => ({ ...loud.check(row), name: String(row.name).toUpperCase() }),
    };
    start('new', { projections: [shouting] });
    await eventually('the tables are swapped', async () => (await old.status())[0]?.version === version);
    const position = await endpoint.append(reported(idOf(endpoint), 2));
    await caughtUp('endpoints', position);
    expect(await rowOf(endpoint)).to.deep.include({ name: 'READER', revision: 1 });
    const [status] = await old.status();
    expect(status).to.deep.include({ owner: 'new', version, building: null });
    const tables = await pool.query("select 1 from pg_tables where tablename like 'endpoints%'");
    expect(tables.rows).to.have.length(1);
  });

  it('builds a read model that is added later beside the others', async () => {
    const first = start('one', { projections: [readModelOf(endpoints)] });
    const project = await startProject(log);
    await startEndpoint(log);
    await caughtUp('endpoints', await log.head());
    await first.close();
    start('two');
    await caughtUp('projects', await log.head());
    expect((await rowOf(project, 'projects')).revision).to.equal(0);
  });
});
