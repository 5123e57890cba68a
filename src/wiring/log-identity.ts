import type { Pool } from 'pg';
import { postgresLogIdentity } from '../adapters/postgres/log-import.ts';
import { Rejected, SystemUnusable } from '../errors.ts';
import type { Log } from '../ports/log.ts';

export interface LogIdentityOptions {
  /** The database of checkpoints, read models and process state, migrated. */
  pool: Pool;
  log: Pick<Log, 'head'>;
  /** Which log it is: see `identifyLog`. */
  log_id: string;
  /** Compares the log with what is known to be in it: see `startFenced`. */
  compare(): Promise<void>;
}

/** The id of the log that the settings name: made with the log, and kept in it. Throws `SystemUnusable`. */
export const identifyLog = async ({
  pool,
  eventstore_url,
}: {
  pool: Pool;
  /** null: the log is in Postgres. */
  eventstore_url: string | null;
}): Promise<string> => {
  if (eventstore_url === null) return postgresLogIdentity(pool);
  const { eventStoreLogIdentity } = await import('../adapters/eventstore/identity.ts');
  return eventStoreLogIdentity({ url: eventstore_url });
};

const unusable = (problem: string): SystemUnusable =>
  new SystemUnusable('The log', problem, {
    settings: ['EVENTSTORE_URL', 'POSTGRES_HOST', 'POSTGRES_DB'],
    transient: false,
  });

const anotherLog = () =>
  unusable(
    "is another one than the log that this database's read models and processes have followed until now: its events " +
      'would be taken for theirs. To go on with this log, move there: stop BudApp, then run ' +
      '"budapp log copy --from <the log until now> --to <this log> --cut-over". Otherwise set EVENTSTORE_URL as it was ' +
      '(unset, where the log was in Postgres). Where it is the same server and its data were lost (an empty volume), restore ' +
      'them from a backup: see "Restore" in docs/operations.md',
  );

const unknownHistory = () =>
  unusable(
    'has events, and this database knows nothing of them: what processes have asked for would be asked for again. ' +
      'Restore the database that belongs to this log, or start with an empty log',
  );

/** The log was opened, so this is about what it says now. */
const notReadable = (cause: Rejected) =>
  new SystemUnusable('The log', 'was opened and cannot be read', {
    settings: ['EVENTSTORE_URL', 'POSTGRES_HOST'],
    transient: true,
    cause: cause.cause ?? cause,
  });

const healing = () =>
  unusable(
    'is being made whole again, and "budapp log heal" has not been finished: positions and log do not fit together. Run ' +
      'it again, it goes on where it was',
  );

const findKnownLog = async (pool: Pool): Promise<string | null> => {
  const { rows } = await pool.query<{ log_id: string }>('select log_id from checkpoint_log');
  return rows[0]?.log_id ?? null;
};

/** True where the log is in this very database. It then belongs to it, whatever its events are. */
const isOwnLog = async (pool: Pool, log_id: string): Promise<boolean> => {
  const { rowCount } = await pool.query('select from log_identity where id = $1', [log_id]);
  return rowCount === 1;
};

/** Remembers the log. Several processes may start at once: the first one's row counts, so each reads it again. */
const adopt = async ({ pool, log, log_id }: LogIdentityOptions): Promise<string | null> => {
  if (!(await isOwnLog(pool, log_id)) && (await log.head()) !== null) throw unknownHistory();
  await pool.query('insert into checkpoint_log (log_id) values ($1) on conflict do nothing', [log_id]);
  return findKnownLog(pool);
};

const checkSameLog = async (options: LogIdentityOptions): Promise<void> => {
  const { pool, log_id, compare } = options;
  if ((await pool.query('select from log_healing')).rowCount !== 0) throw healing();
  const known = (await findKnownLog(pool)) ?? (await adopt(options));
  if (known !== log_id) throw anotherLog();
  await compare();
};

/**
 * Checks that the positions in the database are positions of this log; to be called before anything reads the log. A
 * new installation remembers the log that it starts with. Throws `SystemUnusable` where the database belongs to another
 * log, where it knows nothing of a log that has events, and where the log cannot be read.
 */
export const assertSameLog = (options: LogIdentityOptions): Promise<void> =>
  checkSameLog(options).catch((error: unknown) => {
    throw error instanceof Rejected && error.code === 'log-unavailable' ? notReadable(error) : error;
  });
