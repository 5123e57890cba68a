import { pino } from 'pino';
import { createPostgresLog } from '../../../src/adapters/postgres/log.ts';
import { createProjectionRunner } from '../../../src/projections/engine/runner.ts';
import { openPool } from '../../pool.ts';

/** A process of its own that runs the projections until it is killed: `node crash-writer.ts <connection string>`. */
const connectionString = process.argv[2] ?? '';
const { pool } = openPool(connectionString);
const log = await createPostgresLog({ connectionString });
createProjectionRunner({
  log,
  pool,
  owner: `crash-${process.pid}`,
  logger: pino({ level: 'silent' }),
  lease_ttl_ms: 500,
  batch_size: 50,
});
