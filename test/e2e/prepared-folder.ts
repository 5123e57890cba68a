import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { migrate } from '../../src/adapters/postgres/migrate.ts';
import { openIdentityDatabase } from '../../src/local/identity/identity-database.ts';
import { createUserStore } from '../../src/local/identity/user-store.ts';
import { createEmbeddedPostgres } from '../../src/local/postgres/embedded-postgres.ts';
import { CHEAP_PASSWORD } from '../cheap-password.ts';

const run = promisify(execFile);

/** Names the folder in the environment of the jobs: test/run-fixtures.ts sets it. */
export const PREPARED_FOLDER = 'BUDAPP_TEST_DATA';

const PARTS = ['postgres', 'identity'] as const;

const makeDatabase = async (data_dir: string): Promise<void> => {
  const server = await createEmbeddedPostgres({ data_dir, settings: { fsync: 'off' } });
  await migrate({ connectionString: server.connection_string });
  await server.close();
};

const makeAdmin = async (directory: string, admin: { email: string; password: string }): Promise<void> => {
  const database = openIdentityDatabase(directory);
  await createUserStore(database, CHEAP_PASSWORD).create({ ...admin, name: 'Administrator', role: 'admin' });
  database.close();
};

/** What the first start makes: a database with its schema, and the admin. Nothing has happened in it yet. */
export const prepareFolder = async (admin: { email: string; password: string }) => {
  const folder = await mkdtemp(join(tmpdir(), 'budapp-prepared-'));
  // Walked into by the user that the server runs as.
  await chmod(folder, 0o755);
  await Promise.all([makeDatabase(join(folder, 'postgres')), makeAdmin(join(folder, 'identity'), admin)]);
  return { folder, close: () => rm(folder, { recursive: true, force: true }) };
};

/** Saves a first start its work: where the run has prepared a folder, and this one is new. */
export const copyPrepared = async (dataDir: string): Promise<void> => {
  const prepared = process.env[PREPARED_FOLDER];
  if (prepared === undefined) return;
  await mkdir(dataDir, { recursive: true });
  if ((await readdir(dataDir)).length > 0) return;
  // cp keeps the owner: as root, the server runs as another user.
  await run('cp', ['-a', ...PARTS.map((part) => join(prepared, part)), dataDir]);
};
