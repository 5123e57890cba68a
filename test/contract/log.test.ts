import pg from 'pg';
import { createMemoryLog } from '../../src/adapters/memory-log.ts';
import { createPostgresLog } from '../../src/adapters/postgres-log.ts';
import { type TestDatabase, testDatabase } from '../postgres.ts';
import { describeLog } from './log.ts';

describeLog('in memory', async () => createMemoryLog());

describe('in Postgres', () => {
  let database: TestDatabase;
  afterEach(() => database.close());

  describeLog('in Postgres', async () => {
    database = await testDatabase();
    return createPostgresLog({ connectionString: database.connection_string });
  });

  describeLog('in Postgres, over a pool of the caller', async () => {
    database = await testDatabase();
    const pool = new pg.Pool({ connectionString: database.connection_string, max: 4 });
    pool.on('error', () => undefined);
    const log = await createPostgresLog({ pool, pollInterval: 20 });
    return { ...log, close: () => log.close().then(() => (pool.ended ? undefined : pool.end())) };
  });
});
