import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import pg from 'pg';
import { listBreaks, readMigrations, recordBreaks } from './schema-breaks.ts';

const MIGRATIONS = fileURLToPath(new URL('../../../migrations', import.meta.url));
const MIGRATIONS_TABLE = 'schema_migrations';

/** The database has been migrated by a newer BudApp, and this one cannot work with what that made of it. */
export class SchemaTooNew extends Error {
  /** What is in the way; not known here. */
  readonly migrations: readonly string[];

  constructor(migrations: readonly string[], why: string) {
    super(
      `The database is newer than this BudApp: ${why}. Start the newer version, or restore the backup from before it.`,
    );
    this.name = 'SchemaTooNew';
    this.migrations = migrations;
  }
}

export interface MigrateOptions {
  connectionString: string;
  /** Folder of plain SQL files `0001-what-it-does.sql`, run once each, in this order. */
  dir?: string;
  /** Gets one line a migration. */
  log?: (line: string) => void;
}

const listRan = async (client: pg.Client): Promise<string[]> => {
  const { rows: tables } = await client.query<{ exists: boolean }>('select to_regclass($1) is not null as exists', [
    MIGRATIONS_TABLE,
  ]);
  if (!tables[0]?.exists) return [];
  const { rows } = await client.query<{ name: string }>(`select name from ${MIGRATIONS_TABLE} order by id`);
  return rows.map(({ name }) => name);
};

/** Older code works on a newer schema, unless a migration says that it breaks code that lacks a certain migration. */
const refuseBroken = async (client: pg.Client, ran: readonly string[], known: ReadonlySet<string>): Promise<void> => {
  const broken = (await listBreaks(client, ran)).filter(({ needs }) => !known.has(needs));
  if (broken.length === 0) return;
  const why = broken.map(({ migration, reason }) => `${migration} (${reason})`).join(', ');
  throw new SchemaTooNew(
    broken.map(({ migration }) => migration),
    `this version cannot work after ${why}`,
  );
};

/** Two lines of versions have parted: nobody has tried the migrations of one on the schema of the other. */
const refuseParted = (unknown: readonly string[], pending: readonly string[]): void => {
  if (unknown.length === 0 || pending.length === 0) return;
  throw new SchemaTooNew(
    unknown,
    `it has ${unknown.join(', ')}, which is not known here, and lacks ${pending.join(', ')} of this version`,
  );
};

/**
 * Brings the schema up to date, forward only and all or nothing; answers the names of what it ran. Several starts at once
 * wait for each other. A newer schema is left as it is, so that the version before can start on it; where it cannot work
 * with it, throws `SchemaTooNew`.
 */
export const migrate = async ({
  connectionString,
  dir = MIGRATIONS,
  log = () => undefined,
}: MigrateOptions): Promise<string[]> => {
  const client = new pg.Client({ connectionString, application_name: 'budapp-migrate' });
  await client.connect();
  try {
    // The migrator's own lock comes after the check above it would have to guard; a session's locks end with the session.
    await client.query("select pg_advisory_lock(hashtextextended('budapp migrations', 0))");
    const migrations = await readMigrations(dir);
    const known = new Set(migrations.map(({ name }) => name));
    const before = await listRan(client);
    await refuseBroken(client, before, known);
    const unknown = before.filter((name) => !known.has(name));
    refuseParted(
      unknown,
      [...known].filter((name) => !before.includes(name)),
    );
    if (unknown.length > 0) return [];
    await recordBreaks(client, migrations);
    const ran = await runner({
      dbClient: client,
      dir,
      // Editors and file managers leave files of their own.
      ignorePattern: String.raw`(?!.*\.sql$).*`,
      direction: 'up',
      migrationsTable: MIGRATIONS_TABLE,
      singleTransaction: true,
      noLock: true,
      logger: { info: () => undefined, warn: log, error: log },
    });
    for (const { name } of ran) log(`migrated ${name}`);
    return ran.map(({ name }) => name);
  } finally {
    await client.end();
  }
};
