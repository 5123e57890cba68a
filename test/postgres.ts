import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate } from '../src/adapters/postgres/migrate.ts';
import { createEmbeddedPostgres, type EmbeddedPostgres } from '../src/local/postgres/embedded-postgres.ts';
import { type OpenedPool, openPool } from './pool.ts';

export interface TestDatabase {
  connection_string: string;
  close(): Promise<void>;
}

const TEMPLATE = 'budapp_template';

interface Server {
  postgres: EmbeddedPostgres;
  admin: OpenedPool;
  folder: string;
}

let server: Promise<Server> | undefined;

const databaseUrl = (connectionString: string, database: string): string => {
  const url = new URL(connectionString);
  url.pathname = database;
  return url.href;
};

const startServer = async (): Promise<Server> => {
  const folder = await mkdtemp(join(tmpdir(), 'budapp-test-'));
  // Walked into by the user that the server runs as.
  await chmod(folder, 0o755);
  const postgres = await createEmbeddedPostgres({
    data_dir: folder,
    // Nothing here must survive a power cut.
    settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' },
  });
  // One at a time: a template can be copied only while nobody else is connected to it.
  const admin = openPool(postgres.connection_string, 1);
  await admin.pool.query(`create database ${TEMPLATE}`);
  await migrate({ connectionString: databaseUrl(postgres.connection_string, TEMPLATE) });
  return { postgres, admin, folder };
};

/**
 * A migrated database of the caller's own, on a server that all files of a run share. `close()` drops it; whoever is
 * still connected is cut off.
 */
export const testDatabase = async (): Promise<TestDatabase> => {
  server ??= startServer();
  const { postgres, admin } = await server;
  const name = `test_${randomBytes(6).toString('hex')}`;
  await admin.pool.query(`create database ${name} template ${TEMPLATE} strategy file_copy`);
  return {
    connection_string: databaseUrl(postgres.connection_string, name),
    close: async () => {
      await admin.pool.query(`drop database if exists ${name} with (force)`);
    },
  };
};

/** Stops the server and removes its files. Mocha calls it after the last test; a script does so itself. */
export const closeTestServer = async (): Promise<void> => {
  if (!server) return;
  const { postgres, admin, folder } = await server;
  server = undefined;
  await admin.close();
  await postgres.close();
  await rm(folder, { recursive: true, force: true });
};

if (typeof after === 'function') after('stop the test database server', closeTestServer);
