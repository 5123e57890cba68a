/** The code that Node, OpenSSL or a client library gave an error, for example `ECONNREFUSED`; empty where there is none. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

/** The code of an error or, where it has none, of what is behind it: `fetch` wraps what the connection failed of. */
export const innerCodeOf = (error: unknown): string => {
  if (!(error instanceof Error)) return '';
  return codeOf(error) || innerCodeOf(error.cause);
};
