import { chown, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { runsIn } from '../../../src/local/machine/process-identity.ts';
import { chooseServerUser, type ServerUser } from '../../../src/local/postgres/server-user.ts';
import { startChildSystem } from '../harness/child-system.ts';
import { claimFolder } from '../harness/leftover.ts';
import { keptPort } from '../harness/ports.ts';
import { runCommand } from '../harness/run-command.ts';
import { keptSecret } from '../harness/secrets.ts';
import type { System } from '../harness/system.ts';
import { needPostgres } from '../install/postgres.ts';

const SUPERUSER = 'postgres';
const USER = 'budapp';
const DATABASE = 'budapp';
const END_PATIENCE_MS = 10_000;

interface PostgresOptions {
  dir: string;
  /** Major version; default: the newest that the machine has. */
  version?: number;
}

interface PostgresSystem extends System {
  /** Where its programs are: `pg_dump`, `pg_restore`, `psql`. */
  programs: string;
  /** As the superuser, for what BudApp's own user may not do. */
  admin_connection_string: string;
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

interface Cluster {
  folder: string;
  programs: string;
  user: ServerUser;
}

/** The database files, made under another name until they are whole. */
const initialise = async ({ folder, programs, user }: Cluster, password: string): Promise<void> => {
  const unfinished = `${folder}.unfinished`;
  const passwordFile = `${folder}.password`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  const { uid, gid } = user;
  if (uid !== undefined && gid !== undefined)
    await Promise.all([unfinished, passwordFile].map((path) => chown(path, uid, gid)));
  const [program = '', ...args] = [
    ...user.prefix,
    join(programs, 'initdb'),
    ...['--pgdata', unfinished, '--username', SUPERUSER, '--pwfile', passwordFile],
    ...['--auth', 'scram-sha-256', '--encoding', 'UTF8', '--locale', 'C.UTF-8'],
  ];
  await runCommand(program, args, { cwd: '/', ...(user.prefix.length > 0 ? {} : { user }) });
  await rm(passwordFile);
  await rename(unfinished, folder);
};

/** The server's own children are in sessions of theirs; one that outlives it keeps the next one from starting. */
const childrenEnded = async (folder: string): Promise<void> => {
  const limit = performance.now() + END_PATIENCE_MS;
  for (;;) {
    const pids = (await readdir('/proc').catch(() => [])).map(Number).filter((pid) => pid > 0);
    const inFolder = await Promise.all(pids.map((pid) => runsIn(pid, folder)));
    if (!inFolder.includes(true)) return;
    if (performance.now() > limit) throw new Error(`processes of the Postgres in ${folder} do not end`);
    await delay(20);
  }
};

const query = async (connectionString: string, statement: string): Promise<pg.QueryResult> => {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 2000 });
  // It may be stopped under us; the query itself then fails.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await client.query(statement);
  } finally {
    await client.end();
  }
};

const ensureUserAndDatabase = async (admin: string, password: string): Promise<void> => {
  const role = await query(admin, `select from pg_roles where rolname = '${USER}'`);
  if (!role.rowCount) await query(admin, `create role ${USER} login password '${password}'`);
  const database = await query(admin, `select from pg_database where datname = '${DATABASE}'`);
  if (!database.rowCount) await query(admin, `create database ${DATABASE} owner ${USER}`);
};

/** The machine's own Postgres over TCP on loopback with passwords; BudApp's user owns its database and is no superuser. */
export const startPostgres = async ({ dir, version: major }: PostgresOptions): Promise<PostgresSystem> => {
  const { version, folder: programs } = await needPostgres(major);
  await claimFolder(dir, 'postgres');
  const port = await keptPort(dir, 'postgres');
  const [admin_password, password] = [await keptSecret(dir, 'postgres-admin'), await keptSecret(dir, 'postgres')];
  const folder = join(dir, 'postgres');
  const user = await chooseServerUser([dir, programs]);
  if (!(await exists(folder))) await initialise({ folder, programs, user }, admin_password);
  await childrenEnded(folder);
  const admin = `postgres://${SUPERUSER}:${admin_password}@127.0.0.1:${port}/postgres`;
  const [program = '', ...prefixArgs] = [...user.prefix, join(programs, 'postgres')];
  const flags = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=200'];
  const system = await startChildSystem({
    name: 'postgres',
    version,
    dir,
    settings: {
      POSTGRES_HOST: '127.0.0.1',
      POSTGRES_PORT: String(port),
      POSTGRES_USER: USER,
      POSTGRES_PASSWORD: password,
      POSTGRES_DB: DATABASE,
    },
    launch: {
      program,
      args: [...prefixArgs, '-D', folder, '-p', String(port), ...flags.flatMap((flag) => ['-c', flag])],
      env: { LC_ALL: 'C', TZ: 'UTC' },
      cwd: '/',
      ...(user.prefix.length > 0 ? {} : { user }),
    },
    ask: () => query(admin, 'select 1'),
    // Its fast shutdown; SIGTERM would wait for every client to leave.
    stop_signal: 'SIGINT',
    afterEnd: () => childrenEnded(folder),
  });
  await ensureUserAndDatabase(admin, password);
  return { ...system, programs, admin_connection_string: admin };
};
