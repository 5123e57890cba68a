import pTimeout from 'p-timeout';
import pg from 'pg';
import {
  BackendTerminatedError,
  BackendTerminatedUnexpectedlyError,
  type CommonQueryMethods,
  ConnectionError,
  createPool,
  type Interceptor,
  SchemaValidationError,
} from 'slonik';

/** The pool for reading read models. */
export interface ReadPool extends Pick<CommonQueryMethods, 'any' | 'maybeOne'> {
  end(): Promise<void>;
}

export interface ReadPoolOptions {
  max?: number;
  /** Milliseconds after which a read is aborted and its connection closed, including the wait for a connection. */
  timeout_ms?: number;
}

/** The server cancels a statement after this time. */
const STATEMENT_TIMEOUT_MS = 15_000;
/** A server that has not cancelled the statement by then no longer answers. */
const TIMEOUT_MS = 16_000;

/** The server cannot be reached or does not answer. The error has one of Node's codes for failures that may pass. */
class DatabaseUnreachable extends Error {
  readonly code = 'ETIMEDOUT';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DatabaseUnreachable';
  }
}

const CONNECTION_ERRORS = [ConnectionError, BackendTerminatedError, BackendTerminatedUnexpectedlyError];

const isConnectionError = (error: unknown): boolean => CONNECTION_ERRORS.some((known) => error instanceof known);

/**
 * Validates every row against the schema of `sql.type`, which only declares it. That costs a few microseconds per row.
 */
const validateRows: Interceptor = {
  name: 'validate-rows',
  transformRow: ({ resultParser }, query, row) => {
    if (!resultParser) return row;
    const result = resultParser['~standard'].validate(row);
    if (result instanceof Promise) throw new TypeError('schemas of rows must not be asynchronous');
    if (result.issues) throw new SchemaValidationError(query, row, result.issues);
    // Slonik's row type allows only scalars; the value has the type that `sql.type` declares.
    return result.value as typeof row;
  },
};

const parseTimestamp = pg.types.getTypeParser(pg.types.builtins.TIMESTAMPTZ);

/** Returns times as the reducers write them: RFC 3339 text in UTC with milliseconds. */
const timestamps = { name: 'timestamptz', parse: (value: string) => parseTimestamp(value).toISOString() };
const integers = { name: 'int8', parse: Number };

/**
 * Sets TLS for `sslmode=verify-full`, which Slonik does not know: checks the certificate and the host name, as the
 * other clients do.
 */
const tlsOf = (connectionString: string) => {
  const url = new URL(connectionString);
  if (url.searchParams.get('sslmode') !== 'verify-full') return { address: connectionString };
  url.searchParams.delete('sslmode');
  return { address: url.href, ssl: { rejectUnauthorized: true } };
};

/** Opens the pool for reading read models. Statements never change a session, so connections need no reset. */
export const createReadPool = async (connectionString: string, options: ReadPoolOptions = {}): Promise<ReadPool> => {
  const { max = 10, timeout_ms = TIMEOUT_MS } = options;
  const { address, ...tls } = tlsOf(connectionString);
  const pool = await createPool(address, {
    ...tls,
    captureStackTrace: false,
    interceptors: [validateRows],
    maxPoolSize: max,
    resetConnection: async () => undefined,
    statementTimeout: STATEMENT_TIMEOUT_MS,
    typeParsers: [timestamps, integers],
  });

  const read = async <T>(run: (connection: CommonQueryMethods) => Promise<T>): Promise<T> => {
    const givingUp = new AbortController();
    // The inner race closes the connection, on which an answer may never come; the outer one also bounds the wait for a
    // connection.
    const untilGivenUp = { milliseconds: Number.POSITIVE_INFINITY, signal: givingUp.signal };
    const work = pool.connect((connection) => pTimeout(run(connection), untilGivenUp));
    const giveUp = () => {
      const late = new DatabaseUnreachable(`Postgres has not answered for ${timeout_ms / 1000} s`);
      givingUp.abort(late);
      throw late;
    };
    try {
      return await pTimeout(work, { milliseconds: timeout_ms, fallback: giveUp });
    } catch (error) {
      throw isConnectionError(error) ? new DatabaseUnreachable('Postgres cannot be reached', { cause: error }) : error;
    }
  };

  return {
    any: (query) => read((connection) => connection.any(query)),
    maybeOne: (query) => read((connection) => connection.maybeOne(query)),
    end: () => pool.end(),
  };
};
