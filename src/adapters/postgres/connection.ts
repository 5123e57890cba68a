import pRetry from 'p-retry';
import pg from 'pg';
import type { Logger } from 'pino';
import { Rejected } from '../../errors.ts';
import { createOutage } from '../../resilience/outage.ts';

/** SQLSTATE classes and codes of failures that may pass and do not depend on the statement. */
const TRANSIENT = [
  /^08/, // connection exceptions
  /^53/, // too few resources, too many connections
  /^57P/, // shutdown, crash, starting up, terminated by an administrator
  /^40/, // serialisation failure, deadlock
  /^25006$/, // read-only: a fail-over has made this server a standby
];

const MISTAKES = [Rejected, TypeError, RangeError, SyntaxError];

/** True where the same statement may succeed later: no connection, a restart, a fail-over. */
export const isTransient = (error: unknown): boolean => {
  if (error instanceof pg.DatabaseError) return TRANSIENT.some((code) => code.test(error.code ?? ''));
  // The driver reports a lost connection and its own time-outs as plain errors; mistakes in code have error classes of
  // their own.
  return error instanceof Error && !MISTAKES.some((mistake) => error instanceof mistake);
};

export const logUnavailable = (cause: unknown): Rejected =>
  new Rejected('unavailable', 'log-unavailable', 'The log cannot be reached.', { cause, retryAfterSeconds: 5 });

export const logClosed = (): Rejected => new Rejected('unavailable', 'log-closed', 'The log has been closed.');

export interface RetryOptions {
  /** Milliseconds after which the last failure is thrown as `log-unavailable`; absent: never. */
  giveUpAfter?: number;
  /** Stops the retries; its reason is thrown then. */
  signal: AbortSignal;
}

export type Retry = <T>(run: () => Promise<T>) => Promise<T>;

/** Makes a function that runs another one, and retries it with jittered back-off where the connection failed. */
export const retryWith =
  ({ giveUpAfter, signal }: RetryOptions): Retry =>
  async (run) => {
    try {
      return await pRetry(run, {
        retries: Number.POSITIVE_INFINITY,
        minTimeout: 50,
        maxTimeout: 2000,
        factor: 2,
        randomize: true,
        maxRetryTime: giveUpAfter ?? Number.POSITIVE_INFINITY,
        signal,
        shouldRetry: ({ error }) => isTransient(error),
      });
    } catch (error) {
      signal.throwIfAborted();
      throw isTransient(error) ? logUnavailable(error) : error;
    }
  };

/** More than any statement of the log takes; a server that does not answer for so long counts as unavailable. */
const STATEMENT_TIMEOUT_MS = 30_000;

/**
 * Runs a statement on a connection of the pool. After a time-out the connection is closed, and the failure is one that
 * may pass. The driver's own `query_timeout` is not used, since it makes reading many rows a quarter slower.
 */
export const queryWithin = async <Row extends pg.QueryResultRow>(
  pool: pg.Pool,
  query: pg.QueryConfig,
): Promise<pg.QueryResult<Row>> => {
  const client = await pool.connect();
  let cutOff = false;
  const timer = setTimeout(() => {
    cutOff = true;
    // Closes the connection while its statement runs, which makes the statement fail.
    client.release(true);
  }, STATEMENT_TIMEOUT_MS);
  try {
    const result = await client.query<Row>(query);
    if (!cutOff) client.release();
    return result;
  } catch (error) {
    // After a refused statement the connection is fine; after any other error it may be broken.
    if (!cutOff) client.release(!(error instanceof pg.DatabaseError));
    throw error;
  } finally {
    clearTimeout(timer);
  }
};

/**
 * Handles the errors of lost connections, which would otherwise end the process. The pool has removed an idle one
 * already. A connection that is lost between leaving the pool and its first statement has no other listener; its
 * statement then fails.
 */
export const surviveLostConnections = (pool: pg.Pool, onIdle: (error: Error) => void = () => undefined): void => {
  pool.on('error', onIdle);
  pool.on('connect', (client) => client.on('error', () => undefined));
};

/** As `surviveLostConnections`, and logs the beginning and the end of an outage once each. */
export const logLostConnections = (pool: pg.Pool, logger: Logger): void => {
  const outage = createOutage({
    logger,
    failing: (err) => ({
      message: 'lost a database connection; if it stays away look at POSTGRES_HOST',
      fields: { err },
    }),
    working: 'the database can be reached again',
  });
  surviveLostConnections(pool, (error) => {
    // A pool that is ending may see the server close its connections first, which is not an outage.
    if (!pool.ending) outage.failed(error);
  });
  pool.on('connect', () => outage.ok());
};

/** A pool that survives lost connections. */
export const createPool = (connectionString: string | undefined): pg.Pool => {
  const pool = new pg.Pool({
    ...(connectionString === undefined ? {} : { connectionString }),
    max: 8,
    application_name: 'budapp-log',
    connectionTimeoutMillis: 5000,
    keepAlive: true,
  });
  surviveLostConnections(pool);
  return pool;
};
