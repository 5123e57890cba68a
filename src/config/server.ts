import { z } from 'zod';
import { address, boolean, host, integer, listOf, oneOf } from './setting-kinds.ts';
import { ROLES, STAND_INS } from './stand-ins.ts';

const HOUR_SECONDS = 60 * 60;

/** What this process does, where it listens, and how it starts. */
export const ServerSettings = z.object({
  NODE_ENV: z.string().default('development'),
  LOG_LEVEL: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).prefault('info'),
  PORT: integer(0, 65535).prefault('9081'),
  // Only this machine, unless said otherwise: the embedded default has a generated password and no TLS.
  HOST: host.default('127.0.0.1'),
  PUBLIC_URL: address.optional(),
  NOTIFICATIONS_URL: address.optional(),
  DATA_DIR: z.string().default('.data'),
  ROLES: listOf(ROLES, 'all').prefault('all'),
  START_TIMEOUT_SECONDS: integer(0, HOUR_SECONDS).prefault('60'),
  ALLOW_STAND_INS: listOf(STAND_INS, 'true').optional(),
  OWN_WRITES_TIMEOUT_SECONDS: integer(0, 30).prefault('2'),
  ENABLE_METRICS: boolean.prefault('true'),
});

export const serverOf = (env: z.output<typeof ServerSettings>) => ({
  node_env: env.NODE_ENV,
  /** What this process does. */
  roles: env.ROLES,
  /** How long a start waits for systems that do not answer yet. */
  start_timeout_ms: env.START_TIMEOUT_SECONDS * 1000,
  log_level: env.LOG_LEVEL,
  port: env.PORT,
  host: env.HOST,
  /** Where the world reaches the API; null: `http://<host>:<port>`. */
  public_url: env.PUBLIC_URL ?? null,
  /** Where local services reach `/notifications`; null: `http://<host>:<port>`. */
  notifications_url: env.NOTIFICATIONS_URL ?? null,
  data_dir: env.DATA_DIR,
  /** How long a read waits until it shows what the caller has written. */
  own_writes_timeout_ms: env.OWN_WRITES_TIMEOUT_SECONDS * 1000,
  enable_metrics: env.ENABLE_METRICS,
});
