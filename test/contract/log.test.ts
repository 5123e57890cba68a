import { pino } from 'pino';
import { createEventStoreLog } from '../../src/adapters/eventstore/log.ts';
import { createMemoryLog } from '../../src/adapters/memory-log.ts';
import { createPostgresLog } from '../../src/adapters/postgres/log.ts';
import { createEventStoreDouble, type DoubleOptions, type EventStoreDouble } from '../eventstore-double/double.ts';
import { openPool } from '../pool.ts';
import { type TestDatabase, testDatabase } from '../postgres.ts';
import { anEvent, describeLog } from './log.ts';
import { scopedLog } from './scoped-log.ts';

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
    const { pool, close } = openPool(database.connection_string);
    const log = await createPostgresLog({ pool, pollInterval: 20 });
    return { ...log, close: () => log.close().then(() => (pool.ended ? undefined : close())) };
  });
});

describe('in EventStoreDB, by its test double', () => {
  let double: EventStoreDouble;
  afterEach(() => double.close());

  const openLog = async (options: DoubleOptions = {}) => {
    double = await createEventStoreDouble(options);
    return createEventStoreLog({ url: double.url, logger: pino({ level: 'silent' }) });
  };
  const eventStore = { ids_unique_in_log: false };

  describeLog('in the double', openLog, eventStore);

  describeLog('in a double before 21.10, without batches', () => openLog({ batchAppend: false }), eventStore);

  describeLog(
    'in a double that is not empty',
    async () => {
      const log = await openLog();
      await log.append('thing-1', [anEvent(), anEvent()], { expected: 'none' });
      return scopedLog(log);
    },
    eventStore,
  );
});
