import { z } from 'zod';
import { ConfigError } from './config.ts';
import { address, boolean, hostAndPort, integer, oneOf } from './setting-kinds.ts';

/** What a local service that is a process of its own reads from its environment. */
const Environment = z.object({
  LOG_LEVEL: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).prefault('info'),
  DAPR_HTTP_PORT: integer(1, 65535).optional(),
  DAPR_API_TOKEN: z.string().optional(),
  DAPR_PUBSUB_NAME: z.string().default('pubsub-redis'),
  NOTIFICATIONS_URL: address.optional(),
  APP_API_TOKEN: z.string().optional(),
  BUDCLUSTER_SERVICE_URL: address.optional(),
  MINIO_ENDPOINT: hostAndPort.optional(),
  MINIO_ACCESS_KEY: z.string().default(''),
  MINIO_SECRET_KEY: z.string().default(''),
  MINIO_SECURE: boolean.prefault('false'),
  MINIO_BUCKET_NAME: z.string().default('bud-models'),
  START_TIMEOUT_SECONDS: integer(0, 3600).prefault('60'),
});
type Environment = z.output<typeof Environment>;

const sidecarOf = (env: Environment) =>
  env.DAPR_HTTP_PORT === undefined
    ? null
    : { http_port: env.DAPR_HTTP_PORT, api_token: env.DAPR_API_TOKEN ?? null, pubsub_name: env.DAPR_PUBSUB_NAME };

/** How the services that ask the cluster service reach it: base URL, and what its sidecar wants to see. */
const clusterOf = (env: Environment) => {
  if (env.BUDCLUSTER_SERVICE_URL !== undefined) return { url: env.BUDCLUSTER_SERVICE_URL, headers: {} };
  if (env.DAPR_HTTP_PORT === undefined) return null;
  return {
    url: `http://127.0.0.1:${env.DAPR_HTTP_PORT}/v1.0/invoke/budcluster/method`,
    headers: env.DAPR_API_TOKEN === undefined ? {} : { 'dapr-api-token': env.DAPR_API_TOKEN },
  };
};

const minioOf = (env: Environment) =>
  env.MINIO_ENDPOINT === undefined
    ? null
    : {
        endpoint: env.MINIO_ENDPOINT,
        access_key: env.MINIO_ACCESS_KEY,
        secret_key: env.MINIO_SECRET_KEY,
        secure: env.MINIO_SECURE,
        bucket: env.MINIO_BUCKET_NAME,
      };

const settingsOf = (env: Environment) => ({
  log_level: env.LOG_LEVEL,
  /** How long a start waits for systems that nobody answers for yet. */
  start_timeout_ms: env.START_TIMEOUT_SECONDS * 1000,
  /** Its own sidecar; null: messages go straight to `notifications`. */
  sidecar: sidecarOf(env),
  /** BudApp, and the token it demands; null: only a sidecar can take the messages. */
  notifications:
    env.NOTIFICATIONS_URL === undefined || env.APP_API_TOKEN === undefined
      ? null
      : { url: `${env.NOTIFICATIONS_URL}/notifications`, token: env.APP_API_TOKEN },
  cluster: clusterOf(env),
  /** Where BudApp keeps its objects; null: on this machine's disk, or nowhere that this service can see. */
  minio: minioOf(env),
});
export type LocalServiceSettings = ReturnType<typeof settingsOf>;

const missing = (env: Environment, needs: { messages: boolean; cluster: boolean }): string[] => {
  const problems: string[] = [];
  const { DAPR_HTTP_PORT, NOTIFICATIONS_URL, APP_API_TOKEN, BUDCLUSTER_SERVICE_URL } = env;
  if (DAPR_HTTP_PORT !== undefined) return problems;
  if (needs.messages && (NOTIFICATIONS_URL === undefined || APP_API_TOKEN === undefined)) {
    problems.push('DAPR_HTTP_PORT must be set, or NOTIFICATIONS_URL and APP_API_TOKEN: its messages go nowhere else');
  }
  if (needs.cluster && BUDCLUSTER_SERVICE_URL === undefined) {
    problems.push('DAPR_HTTP_PORT or BUDCLUSTER_SERVICE_URL must be set: it asks the cluster service');
  }
  return problems;
};

/** Throws one `ConfigError` that lists every problem. An empty variable is one that is not set. */
export const localServiceSettings = (
  env: NodeJS.ProcessEnv,
  needs: { messages: boolean; cluster: boolean },
): LocalServiceSettings => {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = Environment.safeParse(given);
  const problems = parsed.success
    ? missing(parsed.data, needs)
    : parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  return settingsOf(parsed.data);
};
