import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate } from '../src/adapters/postgres/migrate.ts';
import { createEmbeddedPostgres } from '../src/local/postgres/embedded-postgres.ts';
import { type OpenedPool, openPool } from './pool.ts';

export interface TestDatabase {
  connection_string: string;
  close(): Promise<void>;
}

/** Names the server in the environment of the jobs: test/run-fixtures.ts sets it. */
export const SHARED_SERVER = 'BUDAPP_TEST_POSTGRES';
const TEMPLATE = 'budapp_template';

interface Server {
  connection_string: string;
  close(): Promise<void>;
}

const databaseUrl = (connectionString: string, database: string): string => {
  const url = new URL(connectionString);
  url.pathname = database;
  return url.href;
};

/** A server with a migrated database to copy, in a folder that is removed when it is closed. */
export const startTestServer = async (): Promise<Server> => {
  const folder = await mkdtemp(join(tmpdir(), 'budapp-test-'));
  // Walked into by the user that the server runs as.
  await chmod(folder, 0o755);
  const postgres = await createEmbeddedPostgres({
    data_dir: folder,
    // Nothing here must survive a power cut.
    settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' },
  });
  const { connection_string } = postgres;
  const admin = openPool(connection_string, 1);
  await admin.pool.query(`create database ${TEMPLATE}`);
  await admin.close();
  await migrate({ connectionString: databaseUrl(connection_string, TEMPLATE) });
  const close = async () => {
    await postgres.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { connection_string, close };
};

let ownServer: Promise<Server> | undefined;
let admin: OpenedPool | undefined;

/** The server that all jobs of a run share; a file that runs alone starts one of its own. */
const serverUrl = async (): Promise<string> => {
  const shared = process.env[SHARED_SERVER];
  if (shared !== undefined) return shared;
  ownServer ??= startTestServer();
  return (await ownServer).connection_string;
};

/** A migrated database of the caller's own. `close()` drops it; whoever is still connected is cut off. */
export const testDatabase = async (): Promise<TestDatabase> => {
  const connection_string = await serverUrl();
  admin ??= openPool(connection_string, 1);
  const { pool } = admin;
  const name = `test_${randomBytes(6).toString('hex')}`;
  await pool.query(`create database ${name} template ${TEMPLATE} strategy file_copy`);
  return {
    connection_string: databaseUrl(connection_string, name),
    close: async () => {
      await pool.query(`drop database if exists ${name} with (force)`);
    },
  };
};

/** Stops the server of a file that runs alone. Mocha calls it after the last test; a script does so itself. */
export const closeTestServer = async (): Promise<void> => {
  if (!ownServer) return;
  const { close } = await ownServer;
  ownServer = undefined;
  await admin?.close();
  admin = undefined;
  await close();
};

if (typeof after === 'function') after('stop the test database server', closeTestServer);
