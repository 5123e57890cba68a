import { z } from 'zod';
import {
  address,
  boolean,
  clientSecret,
  hostAndPort,
  integer,
  listOf,
  masterKey,
  oneOf,
  realmNames,
  serverUrls,
} from './setting-kinds.ts';
import { brokenRules, ROLES, STAND_INS, standInsOf } from './setting-rules.ts';

const YEAR_MINUTES = 366 * 24 * 60;
const HOUR_SECONDS = 60 * 60;
const DAY_SECONDS = 24 * HOUR_SECONDS;
const TEBIBYTE = 2 ** 40;

const sharedSecret = z.string().min(16, 'must have at least 16 characters');

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
  ROLES: listOf(ROLES, 'all').prefault('all'),
  START_TIMEOUT_SECONDS: integer(0, HOUR_SECONDS).prefault('60'),
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
  KEYCLOAK_PUBLIC_URL: address.optional(),
  KEYCLOAK_REALM: realmNames.optional(),
  KEYCLOAK_CLIENT_ID: z.string().optional(),
  KEYCLOAK_CLIENT_SECRET: clientSecret.optional(),
  KEYCLOAK_ALLOW_HTTP: boolean.prefault('false'),

  POSTGRES_HOST: z.string().optional(),
  POSTGRES_PORT: integer(1, 65535).prefault('5432'),
  POSTGRES_USER: z.string().default('budapp'),
  POSTGRES_PASSWORD: z.string().optional(),
  POSTGRES_DB: z.string().default('budapp'),
  POSTGRES_SSL: boolean.prefault('false'),
  MASTER_KEY: masterKey.optional(),

  EVENTSTORE_URL: serverUrls(['esdb:', 'esdb+discover:']).optional(),
  NATS_URL: serverUrls(['nats:', 'tls:']).optional(),

  MINIO_ENDPOINT: hostAndPort.optional(),
  MINIO_ACCESS_KEY: z.string().optional(),
  MINIO_SECRET_KEY: z.string().optional(),
  MINIO_SECURE: boolean.prefault('false'),
  MINIO_BUCKET_NAME: z.string().default('bud-models'),
  MAX_UPLOAD_SIZE: integer(1, TEBIBYTE).prefault('5368709120'),

  DAPR_HTTP_PORT: integer(1, 65535).optional(),
  // Calls go over HTTP; the sidecar's injector sets this one, too.
  DAPR_GRPC_PORT: integer(1, 65535).optional(),
  DAPR_API_TOKEN: sharedSecret.optional(),
  APP_API_TOKEN: sharedSecret.optional(),
  DAPR_PUBSUB_NAME: z.string().default('pubsub-redis'),
  DAPR_STATE_STORE_NAME: z.string().default('statestore-redis'),
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

const minioOf = (env: Environment) =>
  env.MINIO_ENDPOINT === undefined
    ? null
    : {
        endpoint: env.MINIO_ENDPOINT,
        access_key: env.MINIO_ACCESS_KEY ?? '',
        secret_key: env.MINIO_SECRET_KEY ?? '',
        secure: env.MINIO_SECURE,
        bucket: env.MINIO_BUCKET_NAME,
      };

const daprOf = (env: Environment) =>
  env.DAPR_HTTP_PORT === undefined
    ? null
    : {
        http_port: env.DAPR_HTTP_PORT,
        api_token: env.DAPR_API_TOKEN ?? null,
        state_store_name: env.DAPR_STATE_STORE_NAME,
      };

const keycloakOf = (env: Environment) =>
  env.KEYCLOAK_URL === undefined
    ? null
    : {
        url: env.KEYCLOAK_URL,
        /** Where browsers reach it: the address that its tokens bear. */
        public_url: env.KEYCLOAK_PUBLIC_URL ?? env.KEYCLOAK_URL,
        realms: env.KEYCLOAK_REALM ?? [],
        client_id: env.KEYCLOAK_CLIENT_ID ?? '',
        client_secret: env.KEYCLOAK_CLIENT_SECRET ?? '',
        allow_http: env.KEYCLOAK_ALLOW_HTTP,
      };

const configOf = (env: Environment, given: Readonly<Record<string, string>>) => ({
  node_env: env.NODE_ENV,
  /** What this process does. */
  roles: env.ROLES,
  /** How long a start waits for systems that nobody answers for yet. */
  start_timeout_ms: env.START_TIMEOUT_SECONDS * 1000,
  log_level: env.LOG_LEVEL,
  port: env.PORT,
  host: env.HOST,
  /** Where the world reaches the API; null: `http://<host>:<port>`. */
  public_url: env.PUBLIC_URL ?? null,
  /** Where local services reach `/notifications`; null: `http://<host>:<port>`. */
  notifications_url: env.NOTIFICATIONS_URL ?? null,
  data_dir: env.DATA_DIR,
  /** What stands in for a real system with these settings. */
  stand_ins: standInsOf(given, env.ROLES),
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
  /** Connection string of EventStoreDB; null: the log is in Postgres. */
  eventstore_url: env.EVENTSTORE_URL ?? null,
  /** Servers, separated by commas; null: status messages stay in this process. */
  nats_url: env.NATS_URL ?? null,
  /** null: objects on this machine's disk. */
  minio: minioOf(env),
  /** The sidecar; null: services are called straight. */
  dapr: daprOf(env),
  /** The component that brings the messages of the other services. */
  pubsub_name: env.DAPR_PUBSUB_NAME,
  /** 32 bytes; null: generated into `data_dir`. */
  master_key: env.MASTER_KEY ?? null,
  max_upload_bytes: env.MAX_UPLOAD_SIZE,
  /** What `/notifications` demands; null: generated into `data_dir`. */
  app_api_token: env.APP_API_TOKEN ?? env.DAPR_API_TOKEN ?? null,
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
  // Where they cannot be read, that is the problem to be told of, and not what would follow from them.
  const roles = parsed.success ? parsed.data.ROLES : ROLES;
  const allowed = parsed.success ? (parsed.data.ALLOW_STAND_INS ?? []) : STAND_INS;
  const problems = [...wrong, ...brokenRules(given, { roles, allowed })];
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  return configOf(parsed.data, given);
};

/** The environment as it is, to be handed on to a child process. */
export const inheritedEnvironment = (): NodeJS.ProcessEnv => ({ ...process.env });
