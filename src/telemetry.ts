import { type DestinationStream, type Logger, pino, stdSerializers } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';

export type { Logger } from 'pino';

/** Names of fields whose value must never be logged, up to three levels deep. */
const SECRET_FIELDS = [
  'password',
  'token',
  'access_token',
  'refresh_token',
  'id_token',
  'logout_token',
  'api_token',
  'app_api_token',
  'client_secret',
  'secret',
  'authorization',
  'Authorization',
  'cookie',
  'Cookie',
  'set-cookie',
  'api_key',
  'secret_key',
  'hf_token',
  'master_key',
  'dapr-api-token',
  'kubeconfig',
  'configuration',
  'code_verifier',
];

const pathTo = (field: string): string => (/^\w+$/.test(field) ? `.${field}` : `["${field}"]`);

const REDACTED_PATHS = SECRET_FIELDS.flatMap((field) => {
  const path = pathTo(field);
  const atRoot = path.startsWith('.') ? path.slice(1) : path;
  return [atRoot, `*${path}`, `*.*${path}`, `*.*.*${path}`];
});

const isPlain = (value: unknown): boolean =>
  value === null || (typeof value !== 'object' && typeof value !== 'function');

/**
 * Logs an error with message, stack, causes, and its primitive fields. Other fields are left out, since some libraries
 * attach whole clients and connections to their errors.
 */
const errorSerializer = (error: Error): Record<string, unknown> => {
  const plain = Object.entries(stdSerializers.err(error)).filter(([, value]) => isPlain(value));
  const several = error instanceof AggregateError ? { errors: error.errors.map(String) } : {};
  return { ...Object.fromEntries(plain), ...several };
};

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/**
 * Writes one JSON line per entry to standard output (or `destination`), with `level` as a word and `time` as RFC 3339.
 * `error` = act now, `warn` = look today, `info` = what a person would tell a colleague. Secrets are redacted by field
 * name.
 */
export const createLogger = (options: { level: LogLevel; destination?: DestinationStream }): Logger => {
  const settings = {
    level: options.level,
    base: { service: 'budapp' },
    messageKey: 'message',
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: errorSerializer },
    redact: { paths: REDACTED_PATHS, censor: '[redacted]' },
  };
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination);
};

/** The registry that `/metrics` serves, with the process's own metrics (event loop lag, memory, garbage collection). */
export const createMetrics = (): Registry => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'budapp_' });
  return registry;
};
