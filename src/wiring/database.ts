import { join } from 'node:path';
import { checkPostgres } from '../adapters/postgres/check-server.ts';
import type { Config } from '../config/config.ts';
import type { Logger } from '../telemetry.ts';
import type { Closing } from './closing.ts';
import type { RetryUntilAvailable } from './retry-until-available.ts';

export interface Database {
  connection_string: string;
  /** Which server it is, as people read it: without a password. */
  implementation: string;
  stand_in: boolean;
}

const externalDatabase = (postgres: NonNullable<Config['postgres']>): Database => {
  const { host, port, user, password, database, ssl } = postgres;
  const url = new URL(`postgres://${host}:${port}/${encodeURIComponent(database)}`);
  url.username = encodeURIComponent(user);
  url.password = encodeURIComponent(password);
  if (ssl) url.searchParams.set('sslmode', 'verify-full');
  return { connection_string: url.href, implementation: `postgres at ${host}:${port}/${database}`, stand_in: false };
};

interface Needs {
  closing: Closing;
  logger: Logger;
  retryUntilAvailable: RetryUntilAvailable;
}

/** Opens the Postgres that the settings name, or else the embedded one. Throws `SystemUnusable`. */
export const openDatabase = async (
  config: Config,
  { closing, logger, retryUntilAvailable }: Needs,
): Promise<Database> => {
  if (config.postgres) {
    const database = externalDatabase(config.postgres);
    await retryUntilAvailable(() => checkPostgres({ connectionString: database.connection_string }));
    return database;
  }
  const { createEmbeddedPostgres } = await import('../local/postgres/embedded-postgres.ts');
  const data_dir = join(config.data_dir, 'postgres');
  const server = await createEmbeddedPostgres({
    data_dir,
    log: (line) => logger.debug(line),
    onEnd: (lastWords) => logger.error({ lastWords }, 'the embedded Postgres has ended; starting it again'),
    onRestart: () => logger.info('the embedded Postgres works again'),
    onLost: (error) => {
      logger.fatal({ err: error }, 'the embedded Postgres cannot be started again: this process ends');
      // Without its database it can do nothing. Whoever restarts processes gets another try.
      process.exit(1);
    },
  });
  closing.add('embedded Postgres', server);
  const { connection_string } = server;
  return { connection_string, implementation: `embedded Postgres under ${data_dir}`, stand_in: true };
};
