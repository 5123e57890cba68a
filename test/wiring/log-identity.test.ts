import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { Pool } from 'pg';
import { pino } from 'pino';
import { createEventStoreImport } from '../../src/adapters/eventstore/import.ts';
import { createPostgresLog } from '../../src/adapters/postgres/log.ts';
import { createPostgresLogImport } from '../../src/adapters/postgres/log-import.ts';
import { SystemUnusable } from '../../src/errors.ts';
import type { Position } from '../../src/events/event.ts';
import type { Log } from '../../src/ports/log.ts';
import { assertSameLog, identifyLog } from '../../src/wiring/log-identity.ts';
import { aHistory } from '../contract/log-import.ts';
import { createEventStoreDouble } from '../eventstore-double/double.ts';
import { failureOf } from '../failure-of.ts';
import { openPool } from '../pool.ts';
import { type TestDatabase, testDatabase } from '../postgres.ts';
import { createRespelledLog } from './log-copy/respelled-log.ts';

const compare = async () => undefined;

describe('which log it is', () => {
  let database: TestDatabase;
  let pool: Pool;
  let closePool: () => Promise<void>;
  let log: Log;
  let log_id: string;
  beforeEach(async () => {
    database = await testDatabase();
    ({ pool, close: closePool } = openPool(database.connection_string));
    log = await createPostgresLog({ pool });
    log_id = await identifyLog({ pool, eventstore_url: null });
  });
  afterEach(async () => {
    await log.close();
    await closePool();
    await database.close();
  });

  const readUpTo = (position: Position | null) =>
    pool.query('insert into process_checkpoints (reader, position) values ($1, $2)', ['processes', position]);
  const refusal = async (options: { log: Log; log_id: string }) => {
    const failure = await failureOf(assertSameLog({ pool, compare, ...options }));
    expect(failure).to.be.instanceOf(SystemUnusable).and.include({ transient: false });
    return (failure as SystemUnusable).message;
  };

  it('is remembered by a new installation, and is the same at every start', async () => {
    await assertSameLog({ pool, compare, log, log_id });
    expect(await identifyLog({ pool, eventstore_url: null })).to.equal(log_id);
    await createPostgresLogImport({ pool }).importEvents(await aHistory(3));
    await readUpTo(await log.head());
    await assertSameLog({ pool, compare, log, log_id });
  });

  it('is agreed upon by processes that start at once', async () => {
    await Promise.all(Array.from({ length: 4 }, () => assertSameLog({ pool, compare, log, log_id })));
    const other = { log: createRespelledLog(), log_id: randomUUID() };
    expect(await refusal(other)).to.include('EVENTSTORE_URL');
  });

  it('may not be another one: the start is refused, with the setting and the way out', async () => {
    await assertSameLog({ pool, compare, log, log_id });
    const message = await refusal({ log: createRespelledLog(), log_id: randomUUID() });
    expect(message).to.include('EVENTSTORE_URL').and.include('budapp log copy');
    // An empty one, where the server has lost its data.
    expect(message).to.include('restore').and.include('docs/operations.md');
  });

  it('may be another one only while it is empty: what processes asked for is never asked for again', async () => {
    const theirs = createRespelledLog();
    await theirs.importEvents(await aHistory(3));
    expect(await refusal({ log: theirs, log_id: randomUUID() })).to.match(/asked for again/);
    const empty = createRespelledLog();
    const empty_id = randomUUID();
    await assertSameLog({ pool, compare, log: empty, log_id: empty_id });
    await empty.importEvents(await aHistory(3));
    await assertSameLog({ pool, compare, log: empty, log_id: empty_id });
  });
});

describe('a log in EventStoreDB whose server has stopped to answer', () => {
  it('is waited for, and refused with the setting to look at', async () => {
    const database = await testDatabase();
    const { pool, close } = openPool(database.connection_string);
    const double = await createEventStoreDouble();
    const limits = { timeout: 200, silence: 100 };
    const log = await createEventStoreImport({ url: double.url, logger: pino({ level: 'silent' }), ...limits });
    const log_id = await identifyLog({ pool, eventstore_url: double.url });
    double.faults.inject('read', 'mute');
    const failure = await failureOf(assertSameLog({ pool, compare, log, log_id }));
    expect(failure).to.be.instanceOf(SystemUnusable).and.include({ transient: true });
    expect((failure as SystemUnusable).message).to.include('EVENTSTORE_URL');
    expect((failure as SystemUnusable).cause).to.be.instanceOf(Error);
    await log.close();
    await double.close();
    await close();
    await database.close();
  });
});
