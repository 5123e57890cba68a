import pg from 'pg';
import { createPool, type DatabasePool, type Interceptor, SchemaValidationError } from 'slonik';

/** `sql.type` states what a row is; this is what makes sure of it. It costs a few microseconds a row, so it is always on. */
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

/** The pool that read models are read from. Statements change no session, so connections need no reset between them. */
export const createReadPool = (connectionString: string, { max = 10 }: { max?: number } = {}): Promise<DatabasePool> =>
  createPool(connectionString, {
    captureStackTrace: false,
    interceptors: [validateRows],
    maxPoolSize: max,
    resetConnection: async () => undefined,
    statementTimeout: 15_000,
    typeParsers: [timestamps, integers],
  });
