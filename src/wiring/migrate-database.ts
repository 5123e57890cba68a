import { resolve } from 'node:path';
import { migrate } from '../adapters/postgres/migrate.ts';
import type { Config } from '../config/config.ts';
import type { Logger } from '../telemetry.ts';
import { createClosing } from './closing.ts';
import { openDatabase } from './database.ts';
import { createRetryUntilAvailable } from './retry-until-available.ts';

/**
 * Brings the schema up to date and does nothing else, for a job that runs before the new version starts. Returns the
 * names of the migrations that it ran. Throws `SystemUnusable` and `SchemaTooNew`.
 */
export const migrateDatabase = async (config: Config, logger: Logger): Promise<string[]> => {
  const closing = createClosing();
  const retryUntilAvailable = createRetryUntilAvailable({ timeout_ms: config.start_timeout_ms, logger });
  try {
    const local = { ...config, data_dir: resolve(config.data_dir) };
    const { connection_string } = await openDatabase(local, { closing, logger, retryUntilAvailable });
    return await migrate({ connectionString: connection_string });
  } finally {
    await closing.close();
  }
};
