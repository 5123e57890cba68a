import { pino } from 'pino';
import { createEventStoreImport } from '../../src/adapters/eventstore-import.ts';
import { createMemoryLog } from '../../src/adapters/memory-log.ts';
import { createPostgresLog } from '../../src/adapters/postgres-log.ts';
import { createPostgresLogImport } from '../../src/adapters/postgres-log-import.ts';
import { createEventStoreDouble } from '../eventstore-double/double.ts';
import { openPool } from '../pool.ts';
import { type TestDatabase, testDatabase } from '../postgres.ts';
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

describeLogImport('in EventStoreDB (a double)', async () => {
  const double = await createEventStoreDouble();
  const log = await createEventStoreImport({ url: double.url, logger: pino({ level: 'silent' }) });
  return { ...log, close: () => log.close().then(() => double.close()) };
});
