import pg from 'pg';
import { SystemUnusable } from '../../errors.ts';
import { codeOf } from '../../failures/failure-code.ts';
import { tlsFaultOf } from '../certificates.ts';

/** The oldest supported server, in the form of `server_version_num`. */
const OLDEST = 150_000;
const CONNECT_TIMEOUT_MS = 5_000;

interface Finding {
  problem: string;
  settings: readonly string[];
  transient: boolean;
}

const NO_ANSWER: Finding = {
  problem: 'does not answer',
  settings: ['POSTGRES_HOST', 'POSTGRES_PORT'],
  transient: true,
};

/** The problems by SQLSTATE or Node's code. */
const FINDINGS: Readonly<Record<string, Finding>> = {
  '28P01': { problem: 'refuses the user', settings: ['POSTGRES_USER', 'POSTGRES_PASSWORD'], transient: false },
  // Refused by pg_hba.conf: the user may not log in, or not from this host, or not without TLS.
  '28000': {
    problem: 'refuses the user, or the way of connecting',
    settings: ['POSTGRES_USER', 'POSTGRES_SSL', "the server's pg_hba.conf"],
    transient: false,
  },
  '3D000': { problem: 'has no such database', settings: ['POSTGRES_DB'], transient: false },
  '42501': {
    problem: 'does not let the user connect to the database',
    settings: ['POSTGRES_USER', 'POSTGRES_DB'],
    transient: false,
  },
  ENOTFOUND: { problem: 'has an unknown host name', settings: ['POSTGRES_HOST'], transient: true },
};

/** The error for a server that accepts the connection but cannot be used. */
const unsupported = (problem: string, settings: readonly string[]): SystemUnusable =>
  new SystemUnusable('Postgres', problem, { settings, transient: false });

/** The driver's error for a server without TLS has no code, only this text. */
const lacksTls = (error: unknown): boolean => error instanceof Error && error.message.includes('SSL connections');

const findingOf = (error: unknown): Finding => {
  if (lacksTls(error)) return { problem: 'does not speak TLS', settings: ['POSTGRES_SSL'], transient: false };
  const code = codeOf(error);
  const fault = tlsFaultOf(code);
  if (fault) return { problem: fault.problem, settings: ['POSTGRES_SSL', ...fault.settings], transient: false };
  return FINDINGS[code] ?? NO_ANSWER;
};

/**
 * Checks that BudApp can work with the server. Throws `SystemUnusable` where it cannot be reached, refuses the user,
 * lacks the database, does not let the user create tables, or is older than 15.
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
      throw unsupported(`is version ${Math.floor(version / 10_000)}, and BudApp needs 15 or newer`, ['POSTGRES_HOST']);
    if (!rows[0]?.may_create)
      throw unsupported('does not let the user create tables in the database: the user should be its owner', [
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
