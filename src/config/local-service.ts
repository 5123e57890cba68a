import { z } from 'zod';
import { MinioSettings, minioOf } from './objects.ts';
import { ServerSettings } from './server.ts';
import { ServicesSettings } from './services.ts';

/** The settings of a local service that is a process of its own. */
export const LocalServiceSettings = z.object({
  ...ServicesSettings.pick({ DAPR_HTTP_PORT: true, DAPR_PUBSUB_NAME: true, BUDCLUSTER_SERVICE_URL: true }).shape,
  ...ServerSettings.pick({ LOG_LEVEL: true, NOTIFICATIONS_URL: true, START_TIMEOUT_SECONDS: true }).shape,
  ...MinioSettings.shape,
  // A local service only sends these on. How long they must be is for BudApp and the sidecar to say.
  DAPR_API_TOKEN: z.string().optional(),
  APP_API_TOKEN: z.string().optional(),
});
type LocalServiceSettings = z.output<typeof LocalServiceSettings>;

const sidecarOf = (env: LocalServiceSettings) =>
  env.DAPR_HTTP_PORT === undefined
    ? null
    : { http_port: env.DAPR_HTTP_PORT, api_token: env.DAPR_API_TOKEN ?? null, pubsub_name: env.DAPR_PUBSUB_NAME };

/** How a service calls the cluster service: the base URL, and the headers that its sidecar demands. */
const clusterOf = (env: LocalServiceSettings) => {
  if (env.BUDCLUSTER_SERVICE_URL !== undefined) return { url: env.BUDCLUSTER_SERVICE_URL, headers: {} };
  if (env.DAPR_HTTP_PORT === undefined) return null;
  return {
    url: `http://127.0.0.1:${env.DAPR_HTTP_PORT}/v1.0/invoke/budcluster/method`,
    headers: env.DAPR_API_TOKEN === undefined ? {} : { 'dapr-api-token': env.DAPR_API_TOKEN },
  };
};

export const localServiceOf = (env: LocalServiceSettings) => ({
  log_level: env.LOG_LEVEL,
  /** How long a start waits for systems that do not answer yet. */
  start_timeout_ms: env.START_TIMEOUT_SECONDS * 1000,
  /** The service's own sidecar; null: messages go straight to `notifications`. */
  sidecar: sidecarOf(env),
  /** BudApp's address and the token that it demands; null: only a sidecar can take the messages. */
  notifications:
    env.NOTIFICATIONS_URL === undefined || env.APP_API_TOKEN === undefined
      ? null
      : { url: `${env.NOTIFICATIONS_URL}/notifications`, token: env.APP_API_TOKEN },
  cluster: clusterOf(env),
  /** Where BudApp keeps its objects; null: on a disk, which this service may not be able to read. */
  minio: minioOf(env),
});
export type LocalServiceConfig = ReturnType<typeof localServiceOf>;

/** What a service works with, and so needs settings for. */
export interface LocalServiceNeeds {
  /** It sends messages to BudApp. */
  messages: boolean;
  /** It calls the cluster service. */
  cluster: boolean;
}

export const localServiceRules = (env: LocalServiceSettings, needs: LocalServiceNeeds): string[] => {
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
