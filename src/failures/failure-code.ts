/** The code of an error from Node, OpenSSL or a client library, for example `ECONNREFUSED`; empty where there is none. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

/** The code of an error or else of its cause: `fetch` wraps the error of the connection. */
export const innerCodeOf = (error: unknown): string => {
  if (!(error instanceof Error)) return '';
  return codeOf(error) || innerCodeOf(error.cause);
};
