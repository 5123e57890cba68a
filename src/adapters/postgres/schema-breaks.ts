import { readdir, readFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import type pg from 'pg';

/** A migration after which older code cannot work. */
export interface SchemaBreak {
  migration: string;
  /** The migration that code must have to work; often the breaking migration itself. */
  needs: string;
  reason: string;
}

export interface MigrationFile {
  /** The name without `.sql`. */
  name: string;
  breaks: SchemaBreak | null;
}

const HEADER = /^-- breaking(?: before (?<needs>\S+))?: (?<reason>\S.*)$/;

const breakOf = (name: string, sql: string): SchemaBreak | null => {
  const [first = ''] = sql.split(/\r?\n/, 1);
  if (!/^--\s*breaking/i.test(first)) return null;
  const { needs = name, reason } = HEADER.exec(first)?.groups ?? {};
  if (reason === undefined) {
    throw new Error(
      `${name}.sql: the first line must read "-- breaking: why" or "-- breaking before <migration>: why"`,
    );
  }
  return { migration: name, needs, reason };
};

/** Reads the migrations of this version, in order. Throws where a first line starts like a break and is malformed. */
export const readMigrations = async (dir: string): Promise<MigrationFile[]> => {
  const files = (await readdir(dir)).filter((file) => extname(file) === '.sql').sort();
  const migrations = await Promise.all(
    files.map(async (file) => {
      const name = basename(file, '.sql');
      return { name, breaks: breakOf(name, await readFile(join(dir, file), 'utf8')) };
    }),
  );
  const names = new Set(migrations.map(({ name }) => name));
  for (const { name, breaks } of migrations) {
    if (breaks && !names.has(breaks.needs)) throw new Error(`${name}.sql: there is no migration ${breaks.needs}`);
  }
  return migrations;
};

/** Created here and not in a migration, since it must exist before the first breaking migration runs. */
const createTable = `
  create table if not exists schema_breaks (
    migration text primary key,
    needs text not null,
    reason text not null
  )`;

/**
 * Records what breaks older code, which does not have the files. Called before the migrations run: a break is in force
 * only once its migration has run, so that a failed run has no effect.
 */
export const recordBreaks = async (client: pg.Client, migrations: readonly MigrationFile[]): Promise<void> => {
  await client.query(createTable);
  for (const { breaks } of migrations) {
    if (!breaks) continue;
    await client.query(
      `insert into schema_breaks (migration, needs, reason) values ($1, $2, $3)
       on conflict (migration) do update set needs = excluded.needs, reason = excluded.reason`,
      [breaks.migration, breaks.needs, breaks.reason],
    );
  }
};

/** The recorded breaks whose migration has run. */
export const listBreaks = async (client: pg.Client, ran: readonly string[]): Promise<SchemaBreak[]> => {
  const { rows: tables } = await client.query<{ exists: boolean }>(
    "select to_regclass('schema_breaks') is not null as exists",
  );
  if (!tables[0]?.exists) return [];
  const { rows } = await client.query<SchemaBreak>(
    'select migration, needs, reason from schema_breaks where migration = any($1) order by migration',
    [ran],
  );
  return rows;
};
