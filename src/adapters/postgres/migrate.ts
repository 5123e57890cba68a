import { readdir } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import pg from 'pg';

const MIGRATIONS = fileURLToPath(new URL('../../../migrations', import.meta.url));
const MIGRATIONS_TABLE = 'schema_migrations';

/** The database has been migrated by a newer BudApp than this one. */
export class SchemaTooNew extends Error {
  readonly migrations: readonly string[];

  constructor(migrations: readonly string[]) {
    super(
      `The database is newer than this BudApp: it has ${migrations.join(', ')}, which is not known here. ` +
        'Start the newer version, or use another database.',
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

const knownMigrations = async (dir: string): Promise<Set<string>> => {
  const files = await readdir(dir);
  return new Set(files.filter((file) => extname(file) === '.sql').map((file) => basename(file, '.sql')));
};

const refuseNewer = async (client: pg.Client, dir: string): Promise<void> => {
  const { rows: tables } = await client.query<{ exists: boolean }>('select to_regclass($1) is not null as exists', [
    MIGRATIONS_TABLE,
  ]);
  if (!tables[0]?.exists) return;
  const { rows } = await client.query<{ name: string }>(`select name from ${MIGRATIONS_TABLE} order by id`);
  const known = await knownMigrations(dir);
  const unknown = rows.map(({ name }) => name).filter((name) => !known.has(name));
  if (unknown.length > 0) throw new SchemaTooNew(unknown);
};

/**
 * Brings the schema up to date, forward only and all or nothing; answers the names of what it ran. Several starts at once
 * wait for each other. Throws `SchemaTooNew`.
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
    await refuseNewer(client, dir);
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
