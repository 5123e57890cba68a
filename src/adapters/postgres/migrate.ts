import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import pg from 'pg';
import { listBreaks, readMigrations, recordBreaks } from './schema-breaks.ts';

const MIGRATIONS = fileURLToPath(new URL('../../../migrations', import.meta.url));
const MIGRATIONS_TABLE = 'schema_migrations';

/** A newer BudApp has migrated the database in a way that this version cannot work with. */
export class SchemaTooNew extends Error {
  /** The migrations that this version does not know. */
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
  /** The folder of plain SQL files `0001-what-it-does.sql`, each run once, in this order. */
  dir?: string;
  /** Called with one line per migration. */
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

/**
 * Older code can work on a newer schema, unless a migration declares that it breaks code without a certain migration.
 */
const refuseBroken = async (client: pg.Client, ran: readonly string[], known: ReadonlySet<string>): Promise<void> => {
  const broken = (await listBreaks(client, ran)).filter(({ needs }) => !known.has(needs));
  if (broken.length === 0) return;
  const why = broken.map(({ migration, reason }) => `${migration} (${reason})`).join(', ');
  throw new SchemaTooNew(
    broken.map(({ migration }) => migration),
    `this version cannot work after ${why}`,
  );
};

/** Refuses a schema from a diverged version: the migrations of one have not been tested on the schema of the other. */
const refuseDiverged = (unknown: readonly string[], pending: readonly string[]): void => {
  if (unknown.length === 0 || pending.length === 0) return;
  throw new SchemaTooNew(
    unknown,
    `it has ${unknown.join(', ')}, which this version does not know, and lacks ${pending.join(', ')} of this version`,
  );
};

/**
 * Migrates the schema, forward only and all or nothing. Returns the names of the migrations that ran. Concurrent starts
 * wait for each other. A newer schema is left unchanged, so that the previous version can start on it; throws
 * `SchemaTooNew` where it cannot work with it.
 */
export const migrate = async ({
  connectionString,
  dir = MIGRATIONS,
  log = () => undefined,
}: MigrateOptions): Promise<string[]> => {
  const client = new pg.Client({ connectionString, application_name: 'budapp-migrate' });
  await client.connect();
  try {
    // Taken here, since the migrator's own lock would come after the check. The session's end releases it.
    await client.query("select pg_advisory_lock(hashtextextended('budapp migrations', 0))");
    const migrations = await readMigrations(dir);
    const known = new Set(migrations.map(({ name }) => name));
    const before = await listRan(client);
    await refuseBroken(client, before, known);
    const unknown = before.filter((name) => !known.has(name));
    refuseDiverged(
      unknown,
      [...known].filter((name) => !before.includes(name)),
    );
    if (unknown.length > 0) return [];
    await recordBreaks(client, migrations);
    const ran = await runner({
      dbClient: client,
      dir,
      // Ignores other files, which editors and file managers may leave.
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
