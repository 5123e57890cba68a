import { type DestinationStream, type Logger, pino, stdSerializers } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';

export type { Logger } from 'pino';

/** Names of fields whose value must never be written to a log, wherever up to three levels deep they stand. */
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
 * An error with its message, its stack with the causes, and what else it says in one word or number. Some libraries hang whole
 * clients and connections on their errors: those are left out.
 */
const errorSerializer = (error: Error): Record<string, unknown> => {
  const plain = Object.entries(stdSerializers.err(error)).filter(([, value]) => isPlain(value));
  const several = error instanceof AggregateError ? { errors: error.errors.map(String) } : {};
  return { ...Object.fromEntries(plain), ...several };
};

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/**
 * One JSON line an entry on standard output (or `destination`), `level` as a word, `time` as RFC 3339. `error` = act
 * now, `warn` = look today, `info` = what a person would tell a colleague. Secrets are redacted by field name.
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

/** The registry that `/metrics` shows, with the process's own figures (event loop lag, memory, garbage collection). */
export const createMetrics = (): Registry => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'budapp_' });
  return registry;
};
