import { z } from 'zod';
import { address, boolean, integer, listOf, masterKey, oneOf } from './setting-kinds.ts';

/** What can stand in for a real system, by the name that `ALLOW_STAND_INS` uses. */
const STAND_INS = [
  'postgres',
  'identity',
  'status-bus',
  'object-store',
  'cluster',
  'model',
  'simulator',
  'metrics',
] as const;
export type StandIn = (typeof STAND_INS)[number];

/** Systems that this version does not connect to yet: setting one must not look as if it worked. */
const NOT_YET = {
  EVENTSTORE_URL: 'EventStoreDB',
  NATS_URL: 'NATS',
  MINIO_ENDPOINT: 'MinIO',
  MINIO_ACCESS_KEY: 'MinIO',
  MINIO_SECRET_KEY: 'MinIO',
  MINIO_BUCKET_NAME: 'MinIO',
  DAPR_HTTP_PORT: 'a Dapr sidecar',
  BUDNOTIFY_SERVICE_URL: 'the notify service',
} as const;

const YEAR_MINUTES = 366 * 24 * 60;
const DAY_SECONDS = 24 * 60 * 60;
const TEBIBYTE = 2 ** 40;

/** Every setting, as the environment spells it. `.env.example` explains them. */
const Environment = z.object({
  NODE_ENV: z.string().default('development'),
  LOG_LEVEL: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).prefault('info'),
  PORT: integer(0, 65535).prefault('9081'),
  // Only this machine, unless said otherwise: the embedded default has a generated password and no TLS.
  HOST: z.string().default('127.0.0.1'),
  PUBLIC_URL: address.optional(),
  NOTIFICATIONS_URL: address.optional(),
  DATA_DIR: z.string().default('.data'),
  // One process does everything in this version; roles in processes of their own would silently do nothing.
  ROLES: oneOf(['all']).prefault('all'),
  ALLOW_STAND_INS: listOf(STAND_INS, 'true').optional(),
  ENABLE_METRICS: boolean.prefault('true'),

  ADMIN_EMAIL: z
    .string()
    .regex(/^[^\s@]+@[^\s@]+$/, 'must be an e-mail address')
    .default('admin@budapp.local'),
  ADMIN_PASSWORD: z.string().optional(),
  TOKEN_EXPIRE_MINUTES: integer(1, YEAR_MINUTES).prefault('30'),
  REFRESH_TOKEN_EXPIRE_MINUTES: integer(1, YEAR_MINUTES).prefault('10080'),
  KEYCLOAK_URL: address.optional(),
  KEYCLOAK_REALM: z.string().optional(),
  KEYCLOAK_CLIENT_ID: z.string().optional(),
  KEYCLOAK_CLIENT_SECRET: z.string().optional(),

  POSTGRES_HOST: z.string().optional(),
  POSTGRES_PORT: integer(1, 65535).prefault('5432'),
  POSTGRES_USER: z.string().default('budapp'),
  POSTGRES_PASSWORD: z.string().optional(),
  POSTGRES_DB: z.string().default('budapp'),
  POSTGRES_SSL: boolean.prefault('false'),
  MASTER_KEY: masterKey.optional(),

  MAX_UPLOAD_SIZE: integer(1, TEBIBYTE).prefault('5368709120'),

  DAPR_API_TOKEN: z.string().min(16, 'must have at least 16 characters').optional(),
  BUDCLUSTER_SERVICE_URL: address.optional(),
  BUDMODEL_SERVICE_URL: address.optional(),
  BUDSIM_SERVICE_URL: address.optional(),
  BUDMETRICS_SERVICE_URL: address.optional(),

  DEPLOYMENT_DEADLINE_SECONDS: integer(1, DAY_SECONDS).prefault('900'),
  PLACEMENT_DEADLINE_SECONDS: integer(1, DAY_SECONDS).prefault('120'),
  DELETION_DEADLINE_SECONDS: integer(1, DAY_SECONDS).prefault('300'),
  MODEL_ONBOARDING_DEADLINE_SECONDS: integer(1, DAY_SECONDS).prefault('600'),
  CLUSTER_ONBOARDING_DEADLINE_SECONDS: integer(1, DAY_SECONDS).prefault('600'),
});
type Environment = z.output<typeof Environment>;

/** The names of all settings, as `.env.example` must list them. */
export const SETTINGS: readonly string[] = Object.keys(Environment.shape);

/** The settings are wrong; the message lists every problem, one a line. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The settings are not right:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

const KEYCLOAK_COMPANIONS = ['KEYCLOAK_REALM', 'KEYCLOAK_CLIENT_ID', 'KEYCLOAK_CLIENT_SECRET'] as const;

const TOGETHER = [
  ['KEYCLOAK_URL', KEYCLOAK_COMPANIONS],
  // A generated master key would stay behind on this machine while the data lives on that server.
  ['POSTGRES_HOST', ['MASTER_KEY']],
] as const;

/** Settings that a real system needs as soon as it is used. */
const missingCompanions = (given: Readonly<Record<string, unknown>>): string[] =>
  TOGETHER.flatMap(([leader, companions]) =>
    given[leader] === undefined
      ? []
      : companions.filter((name) => given[name] === undefined).map((name) => `${name} must be set where ${leader} is`),
  );

/** Somebody who sets these means Keycloak; without its address the local provider would quietly serve instead. */
const missingLeader = (given: Readonly<Record<string, unknown>>): string[] =>
  given.KEYCLOAK_URL === undefined
    ? KEYCLOAK_COMPANIONS.filter((name) => given[name] !== undefined).map(
        (name) => `${name} is set, but KEYCLOAK_URL is not`,
      )
    : [];

const notYet = (given: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(NOT_YET)
    .filter(([name]) => given[name] !== undefined)
    .map(([name, system]) => `${name} is set, but this version does not connect to ${system} yet; remove it`);

/** What stands in with these settings, and the setting that would replace it; null where none does in this version. */
const standIns = (given: Readonly<Record<string, unknown>>): [StandIn, string | null][] => {
  const replacedBy: [StandIn, string | null][] = [
    ['postgres', 'POSTGRES_HOST'],
    ['identity', 'KEYCLOAK_URL'],
    ['status-bus', null],
    ['object-store', null],
    ['cluster', 'BUDCLUSTER_SERVICE_URL'],
    ['model', 'BUDMODEL_SERVICE_URL'],
    ['simulator', 'BUDSIM_SERVICE_URL'],
    ['metrics', 'BUDMETRICS_SERVICE_URL'],
  ];
  return replacedBy.filter(([, setting]) => setting === null || given[setting] === undefined);
};

const refusedStandIns = (given: Readonly<Record<string, unknown>>, allowed: readonly StandIn[]): string[] =>
  standIns(given)
    .filter(([name]) => !allowed.includes(name))
    .map(([name, setting]) => {
      const way = setting === null ? '' : `set ${setting}, or `;
      return `${name} would be a stand-in, which NODE_ENV=production refuses: ${way}add ${name} to ALLOW_STAND_INS`;
    });

/** An empty variable (`POSTGRES_HOST=` in a compose file) is one that is not set. */
const setVariables = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, value]])),
  );

const postgresOf = (env: Environment) =>
  env.POSTGRES_HOST === undefined
    ? null
    : {
        host: env.POSTGRES_HOST,
        port: env.POSTGRES_PORT,
        user: env.POSTGRES_USER,
        password: env.POSTGRES_PASSWORD ?? '',
        database: env.POSTGRES_DB,
        ssl: env.POSTGRES_SSL,
      };

const keycloakOf = (env: Environment) =>
  env.KEYCLOAK_URL === undefined
    ? null
    : {
        issuer_url: `${env.KEYCLOAK_URL}/realms/${encodeURIComponent(env.KEYCLOAK_REALM ?? '')}`,
        client_id: env.KEYCLOAK_CLIENT_ID ?? '',
        client_secret: env.KEYCLOAK_CLIENT_SECRET ?? '',
      };

const configOf = (env: Environment, given: Readonly<Record<string, string>>) => ({
  node_env: env.NODE_ENV,
  log_level: env.LOG_LEVEL,
  port: env.PORT,
  host: env.HOST,
  /** Where the world reaches the API; null: `http://<host>:<port>`. */
  public_url: env.PUBLIC_URL ?? null,
  /** Where services reach `/notifications`; null: as `public_url`. */
  notifications_url: env.NOTIFICATIONS_URL ?? null,
  data_dir: env.DATA_DIR,
  /** What stands in for a real system with these settings. */
  stand_ins: standIns(given).map(([name]) => name),
  enable_metrics: env.ENABLE_METRICS,
  admin: { email: env.ADMIN_EMAIL, password: env.ADMIN_PASSWORD },
  /** Seconds. */
  token_lifetimes: {
    access_token: env.TOKEN_EXPIRE_MINUTES * 60,
    refresh_token: env.REFRESH_TOKEN_EXPIRE_MINUTES * 60,
  },
  /** null: the local identity provider. */
  keycloak: keycloakOf(env),
  /** null: the embedded server. */
  postgres: postgresOf(env),
  /** 32 bytes; null: generated into `data_dir`. */
  master_key: env.MASTER_KEY ?? null,
  max_upload_bytes: env.MAX_UPLOAD_SIZE,
  /** What `/notifications` demands; null: generated into `data_dir`. */
  dapr_api_token: env.DAPR_API_TOKEN ?? null,
  /** By app id; null: the local service. */
  service_urls: {
    budcluster: env.BUDCLUSTER_SERVICE_URL ?? null,
    budmodel: env.BUDMODEL_SERVICE_URL ?? null,
    budsim: env.BUDSIM_SERVICE_URL ?? null,
    budmetrics: env.BUDMETRICS_SERVICE_URL ?? null,
  },
  /** Seconds after which a process that has not got there gives up. */
  deadlines: {
    deployment: env.DEPLOYMENT_DEADLINE_SECONDS,
    placement: env.PLACEMENT_DEADLINE_SECONDS,
    deletion: env.DELETION_DEADLINE_SECONDS,
    model_onboarding: env.MODEL_ONBOARDING_DEADLINE_SECONDS,
    cluster_onboarding: env.CLUSTER_ONBOARDING_DEADLINE_SECONDS,
  },
});
export type Config = ReturnType<typeof configOf>;

/**
 * The settings from the environment. Throws one `ConfigError` that lists every problem. Variables that are not ours are
 * passed over; secrets are never repeated in a message.
 */
export const loadConfig = (env: NodeJS.ProcessEnv = process.env): Config => {
  const given = setVariables(env);
  const parsed = Environment.safeParse(given);
  const wrong = parsed.success ? [] : parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);
  const production = given.NODE_ENV === 'production';
  const allowed = parsed.success ? (parsed.data.ALLOW_STAND_INS ?? []) : STAND_INS;
  const refused = production ? refusedStandIns(given, allowed) : [];
  const problems = [...wrong, ...missingCompanions(given), ...missingLeader(given), ...notYet(given), ...refused];
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  return configOf(parsed.data, given);
};

/** The environment as it is, to be handed on to a child process. */
export const inheritedEnvironment = (): NodeJS.ProcessEnv => ({ ...process.env });
