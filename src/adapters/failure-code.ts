/** The code that Node, OpenSSL or a client library gave an error, for example `ECONNREFUSED`; empty where there is none. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

const TLS_CODES = /^(CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_)/;

/** Whether it says that a TLS handshake failed: a certificate that is not trusted or has expired, or no TLS at all. */
export const isTlsCode = (code: string): boolean => TLS_CODES.test(code);
