import pg from 'pg';
import { SystemUnusable } from '../../errors.ts';
import { tlsFaultOf } from '../certificates.ts';
import { codeOf } from '../failure-code.ts';

/** The oldest server that BudApp works with, as `server_version_num` writes it. */
const OLDEST = 150_000;
const CONNECT_TIMEOUT_MS = 5_000;

interface Finding {
  problem: string;
  settings: readonly string[];
  passing: boolean;
}

const NOBODY_ANSWERS: Finding = {
  problem: 'does not answer',
  settings: ['POSTGRES_HOST', 'POSTGRES_PORT'],
  passing: true,
};

/** By SQLSTATE, or by Node's code. */
const FINDINGS: Readonly<Record<string, Finding>> = {
  '28P01': { problem: 'refuses the user', settings: ['POSTGRES_USER', 'POSTGRES_PASSWORD'], passing: false },
  // Its pg_hba.conf: a user that may not log in, or not from here, or not without TLS.
  '28000': {
    problem: 'refuses the user, or to be reached this way',
    settings: ['POSTGRES_USER', 'POSTGRES_SSL', "the server's pg_hba.conf"],
    passing: false,
  },
  '3D000': { problem: 'has no such database', settings: ['POSTGRES_DB'], passing: false },
  '42501': {
    problem: 'does not let the user into the database',
    settings: ['POSTGRES_USER', 'POSTGRES_DB'],
    passing: false,
  },
  ENOTFOUND: { problem: 'has a host name that nobody knows', settings: ['POSTGRES_HOST'], passing: true },
};

/** Of a server that lets us in. */
const unfit = (problem: string, settings: readonly string[]): SystemUnusable =>
  new SystemUnusable('Postgres', problem, { settings, passing: false });

/** The driver says in words only that a server does not speak TLS. */
const speaksNoTls = (error: unknown): boolean => error instanceof Error && error.message.includes('SSL connections');

const findingOf = (error: unknown): Finding => {
  if (speaksNoTls(error)) return { problem: 'does not speak TLS', settings: ['POSTGRES_SSL'], passing: false };
  const code = codeOf(error);
  const fault = tlsFaultOf(code);
  if (fault) return { problem: fault.problem, settings: ['POSTGRES_SSL', ...fault.settings], passing: false };
  return FINDINGS[code] ?? NOBODY_ANSWERS;
};

/**
 * Asks the server whether BudApp can work with it. Throws `SystemUnusable` where it cannot be reached, refuses the user,
 * lacks the database, lets the user make no tables in it, or is older than 15.
 */
export const checkPostgres = async ({ connectionString }: { connectionString: string }): Promise<void> => {
  const client = new pg.Client({
    connectionString,
    application_name: 'budapp-start',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: CONNECT_TIMEOUT_MS,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ version: string; may_create: boolean | null }>(
      `select current_setting('server_version_num') as version,
        has_schema_privilege(current_schema(), 'create') as may_create`,
    );
    const version = Number(rows[0]?.version);
    if (version < OLDEST)
      throw unfit(`is version ${Math.floor(version / 10_000)}, and BudApp needs 15 or newer`, ['POSTGRES_HOST']);
    if (!rows[0]?.may_create)
      throw unfit('lets the user make no tables in the database, whose owner it should be', [
        'POSTGRES_USER',
        'POSTGRES_DB',
      ]);
  } catch (cause) {
    if (cause instanceof SystemUnusable) throw cause;
    const { problem, ...rest } = findingOf(cause);
    throw new SystemUnusable('Postgres', problem, { ...rest, cause });
  } finally {
    await client.end().catch(() => undefined);
  }
};
