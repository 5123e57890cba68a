import { expect } from 'chai';
import { pino } from 'pino';
import { createEventStoreImport } from '../../src/adapters/eventstore/import.ts';
import { createMemoryLog } from '../../src/adapters/memory-log.ts';
import { createPostgresLog } from '../../src/adapters/postgres/log.ts';
import { createPostgresLogImport } from '../../src/adapters/postgres/log-import.ts';
import { compareLogs, copyLog } from '../../src/wiring/log-copy/log-copy.ts';
import { createEventStoreDouble } from '../eventstore-double/double.ts';
import { failureOf } from '../failure-of.ts';
import { openPool } from '../pool.ts';
import { type TestDatabase, testDatabase } from '../postgres.ts';
import { anEvent } from './log.ts';
import { describeLogImport } from './log-import.ts';

describeLogImport('in memory', async () => createMemoryLog());

describe('in Postgres', () => {
  let database: TestDatabase;
  afterEach(() => database.close());

  describeLogImport('in Postgres', async () => {
    database = await testDatabase();
    const { pool, close } = openPool(database.connection_string);
    const log = await createPostgresLog({ pool, pollInterval: 20 });
    return { ...log, ...createPostgresLogImport({ pool }), close: () => log.close().then(close) };
  });
});

describe('in EventStoreDB, by its test double: taking over larger appends than it takes itself', () => {
  it('takes them in parts, and refuses but an event that is too large on its own', async () => {
    const double = await createEventStoreDouble({ maxAppendBytes: 5_000 });
    const to = await createEventStoreImport({ url: double.url, logger: pino({ level: 'silent' }) });
    const from = createMemoryLog();
    const events = Array.from({ length: 9 }, (_, n) => anEvent(String(n).repeat(1_000)));
    await from.append('thing-1', events, { expected: 'none' });
    expect(await copyLog({ from, to, batch: 500 })).to.include({ copied: 9 });
    expect(await compareLogs({ from, to })).to.include({ events: 9 });
    await from.append('thing-1', [anEvent('x'.repeat(6_000))], { expected: 'exists' });
    expect(await failureOf(copyLog({ from, to, batch: 500 }))).to.include({ code: 'append-too-large' });
    await to.close();
    await double.close();
  });
});

describeLogImport('in EventStoreDB (a double)', async () => {
  const double = await createEventStoreDouble();
  const log = await createEventStoreImport({ url: double.url, logger: pino({ level: 'silent' }) });
  return { ...log, close: () => log.close().then(() => double.close()) };
});
