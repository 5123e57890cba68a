import type { Pool } from 'pg';
import { postgresLogIdentity } from '../adapters/postgres/log-import.ts';
import { Rejected, SystemUnusable } from '../errors.ts';
import { Position } from '../events/event.ts';
import type { Log } from '../ports/log.ts';

export interface LogIdentityOptions {
  /** The database of checkpoints, read models and process state, migrated. */
  pool: Pool;
  log: Pick<Log, 'head' | 'subscribe'>;
  /** Which log it is: see `identifyLog`. */
  log_id: string;
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
      '(unset, where the log was in Postgres)',
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

const tailLost = (checkpoint: string, head: Position | null) =>
  unusable(
    `ends at ${head ?? 'its start'}, but has been read up to ${checkpoint}: events that were accepted are no longer in ` +
      'it, or it was restored from an older backup than the database. Restore both from backups of the same time: see ' +
      '"Restore" in docs/operations.md',
  );

const healing = () =>
  unusable(
    'is being made whole again, and "budapp log heal" has not been finished: positions and log do not fit together. Run ' +
      'it again, it goes on where it was',
  );

/** The newest checkpoint of all in the database. */
const FURTHEST = `
  select max(position collate "C") as position from (
    select position from projections
    union all select position from projection_builds
    union all select position from process_checkpoints
  ) as checkpoint`;

const findFurthest = async (pool: Pool): Promise<Position | null> => {
  const { rows } = await pool.query<{ position: string | null }>(FURTHEST);
  return Position.nullable().parse(rows[0]?.position ?? null);
};

const findKnownLog = async (pool: Pool): Promise<string | null> => {
  const { rows } = await pool.query<{ log_id: string }>('select log_id from checkpoint_log');
  return rows[0]?.log_id ?? null;
};

/** True where the log is in this very database. It then belongs to it, whatever its events are. */
const isOwnLog = async (pool: Pool, log_id: string): Promise<boolean> => {
  const { rowCount } = await pool.query('select from log_identity where id = $1', [log_id]);
  return rowCount === 1;
};

/** False where the log does not have this position: its tail was lost, and others were appended since. */
const canGoOnAfter = async (log: LogIdentityOptions['log'], position: Position): Promise<boolean> => {
  try {
    for await (const _first of log.subscribe({ after: position, live: false })) break;
    return true;
  } catch (error) {
    if (error instanceof Rejected && error.code === 'unknown-position') return false;
    throw error;
  }
};

/** Remembers the log. Several processes may start at once: the first one's row counts, so each reads it again. */
const adopt = async ({ pool, log, log_id }: LogIdentityOptions): Promise<string | null> => {
  if (!(await isOwnLog(pool, log_id)) && (await log.head()) !== null) throw unknownHistory();
  await pool.query('insert into checkpoint_log (log_id) values ($1) on conflict do nothing', [log_id]);
  return findKnownLog(pool);
};

const checkSameLog = async (options: LogIdentityOptions): Promise<void> => {
  const { pool, log, log_id } = options;
  if ((await pool.query('select from log_healing')).rowCount !== 0) throw healing();
  const known = (await findKnownLog(pool)) ?? (await adopt(options));
  if (known !== log_id) throw anotherLog();
  const furthest = await findFurthest(pool);
  if (furthest === null) return;
  const head = await log.head();
  if (head === null || furthest > head || !(await canGoOnAfter(log, furthest))) throw tailLost(furthest, head);
};

/**
 * Checks that the positions in the database are positions of this log; to be called before anything reads the log. A
 * new installation remembers the log that it starts with. Throws `SystemUnusable` where the database belongs to another
 * log, where it knows nothing of a log that has events, where the log ends before what has been read of it, and where it cannot be read.
 */
export const assertSameLog = (options: LogIdentityOptions): Promise<void> =>
  checkSameLog(options).catch((error: unknown) => {
    throw error instanceof Rejected && error.code === 'log-unavailable' ? notReadable(error) : error;
  });
