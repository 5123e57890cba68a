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

/** What read models are read with. */
export interface ReadPool extends Pick<CommonQueryMethods, 'any' | 'maybeOne'> {
  end(): Promise<void>;
}

export interface ReadPoolOptions {
  max?: number;
  /** A read that takes so long, waiting for a connection included, is given up, and its connection with it. Milliseconds. */
  timeout_ms?: number;
}

/** The server ends a statement that takes longer. */
const STATEMENT_TIMEOUT_MS = 15_000;
/** One that has not even ended the statement by then has fallen silent. */
const TIMEOUT_MS = 16_000;

/** The server is away or silent. It has a code of Node's, which says of an error that it may pass. */
class DatabaseUnreachable extends Error {
  readonly code = 'ETIMEDOUT';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DatabaseUnreachable';
  }
}

const CONNECTION_ERRORS = [ConnectionError, BackendTerminatedError, BackendTerminatedUnexpectedlyError];

const isConnectionError = (error: unknown): boolean => CONNECTION_ERRORS.some((known) => error instanceof known);

/** It costs a few microseconds a row, so it is always on: `sql.type` states what a row is; this is what makes sure of it. */
const validateRows: Interceptor = {
  name: 'validate-rows',
  transformRow: ({ resultParser }, query, row) => {
    if (!resultParser) return row;
    const result = resultParser['~standard'].validate(row);
    if (result instanceof Promise) throw new TypeError('schemas of rows must not be asynchronous');
    if (result.issues) throw new SchemaValidationError(query, row, result.issues);
    // Slonik's type of a row knows scalars only; what the schema made is what `sql.type` promised.
    return result.value as typeof row;
  },
};

const parseTimestamp = pg.types.getTypeParser(pg.types.builtins.TIMESTAMPTZ);

/** Times as RFC 3339 text in UTC with milliseconds, as the reducers made them. */
const timestamps = { name: 'timestamptz', parse: (value: string) => parseTimestamp(value).toISOString() };
const integers = { name: 'int8', parse: Number };

/** Slonik does not know `sslmode=verify-full`, under which all others check the certificate and the host's name: so does this. */
const tlsOf = (connectionString: string) => {
  const url = new URL(connectionString);
  if (url.searchParams.get('sslmode') !== 'verify-full') return { address: connectionString };
  url.searchParams.delete('sslmode');
  return { address: url.href, ssl: { rejectUnauthorized: true } };
};

/** The pool that read models are read from. Statements change no session, so connections need no reset between them. */
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
    // Inside, too: what throws there has its connection thrown away, on which nothing may ever come again.
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
