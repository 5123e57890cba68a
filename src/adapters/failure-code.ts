/** The code that Node, OpenSSL or a client library gave an error, for example `ECONNREFUSED`; empty where there is none. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
