import { z } from 'zod';
import type { Given } from './given.ts';
import { address, integer } from './setting-kinds.ts';

const sharedSecret = z.string().min(16, 'must have at least 16 characters');

/** The other services of the platform: through a Dapr sidecar, or each at an address. */
export const ServicesSettings = z.object({
  DAPR_HTTP_PORT: integer(1, 65535).optional(),
  // Not used, since calls go over HTTP. It is a setting because the sidecar's injector sets it.
  DAPR_GRPC_PORT: integer(1, 65535).optional(),
  DAPR_API_TOKEN: sharedSecret.optional(),
  APP_API_TOKEN: sharedSecret.optional(),
  DAPR_PUBSUB_NAME: z.string().default('pubsub-redis'),
  DAPR_STATE_STORE_NAME: z.string().default('statestore-redis'),
  BUDCLUSTER_SERVICE_URL: address.optional(),
  BUDMODEL_SERVICE_URL: address.optional(),
  BUDSIM_SERVICE_URL: address.optional(),
  BUDMETRICS_SERVICE_URL: address.optional(),
  CLUSTER_CONFIGURATION: z.enum(['kubeconfig', 'any']).optional(),
});
type ServicesSettings = z.output<typeof ServicesSettings>;

const daprOf = (env: ServicesSettings) =>
  env.DAPR_HTTP_PORT === undefined
    ? null
    : {
        http_port: env.DAPR_HTTP_PORT,
        api_token: env.DAPR_API_TOKEN ?? null,
        state_store_name: env.DAPR_STATE_STORE_NAME,
      };

export const servicesOf = (env: ServicesSettings) => ({
  /** The sidecar; null: services are called straight. */
  dapr: daprOf(env),
  /** The component that brings the messages of the other services. */
  pubsub_name: env.DAPR_PUBSUB_NAME,
  /** What `/notifications` demands; null: generated into `data_dir`. */
  app_api_token: env.APP_API_TOKEN ?? env.DAPR_API_TOKEN ?? null,
  /** What a cluster is registered with. The local cluster service takes any text. */
  cluster_configuration:
    env.CLUSTER_CONFIGURATION ??
    (env.DAPR_HTTP_PORT !== undefined || env.BUDCLUSTER_SERVICE_URL !== undefined ? 'kubeconfig' : 'any'),
  /** By app id; null: the local service. */
  service_urls: {
    budcluster: env.BUDCLUSTER_SERVICE_URL ?? null,
    budmodel: env.BUDMODEL_SERVICE_URL ?? null,
    budsim: env.BUDSIM_SERVICE_URL ?? null,
    budmetrics: env.BUDMETRICS_SERVICE_URL ?? null,
  },
});

/** Systems that this version does not connect to yet: setting one must not look as if it worked. */
const NOT_YET = {
  BUDNOTIFY_SERVICE_URL: 'the notify service',
} as const;

export const servicesRules = (given: Given): string[] =>
  Object.entries(NOT_YET)
    .filter(([name]) => given[name] !== undefined)
    .map(([name, system]) => `${name} is set, but this version does not connect to ${system} yet; remove it`);
