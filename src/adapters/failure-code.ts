/** The code of an error from Node, OpenSSL or a client library, for example `ECONNREFUSED`; empty where it has none. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
