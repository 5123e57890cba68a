import type { Server } from 'node:http';
import type { Api } from '../api/api.ts';
import { createApi } from '../api/api.ts';
import { createHealthApi } from '../api/health-api.ts';
import type { ApiSettings } from '../api/services.ts';
import type { Config } from '../config/config.ts';
import type { TenantId } from '../events/ids.ts';
import type { Log } from '../ports/log.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { ServiceInvoker } from '../ports/service-invoker.ts';
import type { StatusBus } from '../ports/status-bus.ts';
import { holdLease } from '../postgres/lease.ts';
import { createProcesses } from '../processes/catalog.ts';
import { createProcessOperations } from '../processes/engine/operations.ts';
import { readProgress } from '../processes/engine/progress.ts';
import { createProcessRunner } from '../processes/engine/runner.ts';
import { ClustersFound } from '../processes/process.ts';
import { createStatusWatch } from '../processes/watch/status-watch.ts';
import { createProjectionOperations } from '../projections/engine/operations.ts';
import { createProjectionRunner } from '../projections/engine/runner.ts';
import { createStatusFeed } from '../projections/engine/status-feed.ts';
import type { ReadModels } from '../projections/queries/read.ts';
import { createThrottle } from '../resilience/throttle.ts';
import { createMetrics } from '../telemetry.ts';
import { type CoreServices, waitForHead } from './core-services.ts';
import type { OpenedIdentity } from './identity.ts';
import type { SystemNeeds } from './systems.ts';

const FEED_LEASE_MS = 10_000;

/** Those of the clusters that are the tenant's, as fresh as the log: one may have been registered a moment ago. */
const clustersIn =
  (readModels: ReadModels, log: Log) =>
  async (budClusterIds: readonly string[], tenantId: TenantId): Promise<ClustersFound> => {
    await waitForHead(readModels, log, 'clusters');
    const found = await Promise.all(budClusterIds.map((id) => readModels.findClusterByBudId(id)));
    return ClustersFound.parse(
      found.flatMap((cluster) =>
        cluster?.tenant_id === tenantId && cluster.bud_cluster_id !== null
          ? [{ cluster_id: cluster.id, bud_cluster_id: cluster.bud_cluster_id, name: cluster.name }]
          : [],
      ),
    );
  };

export interface RoleNeeds extends SystemNeeds {
  config: Config;
  core: CoreServices;
}

const processesOf = (config: Config, objects: ObjectStore) =>
  createProcesses({
    objectUri: (key) => objects.uri(key),
    placement_seconds: config.deadlines.placement,
  });

/** What the API needs besides the core services. */
export interface ApiParts {
  identity: OpenedIdentity;
  objects: ObjectStore;
  bus: StatusBus;
  invoker: ServiceInvoker;
  settings: ApiSettings;
}

/** The role `api`: serves the public API. */
export const openApi = async ({ closing, logger, config, core }: RoleNeeds, parts: ApiParts): Promise<Api> => {
  const { identity, objects, ...others } = parts;
  const { pool, log, fence } = core;
  const api = await createApi({
    ...core,
    ...others,
    objects,
    logger,
    identity: identity.identity,
    projections: createProjectionOperations({ pool, log, fence }),
    processes: createProcessOperations({ pool, processes: processesOf(config, objects), logger }),
    metrics: createMetrics(),
    ...(identity.register ? { registerUser: identity.register } : {}),
  });
  return closing.add('API', api);
};

/** The HTTP API of a process without the role `api`: health and metrics only. */
export const openHealthApi = ({ logger, core }: RoleNeeds, settings: ApiSettings) =>
  createHealthApi({
    ...core,
    logger,
    settings,
    projections: createProjectionOperations(core),
    processes: { progress: () => readProgress(core.pool) },
    metrics: createMetrics(),
  });

/** The status feed over a bus that all processes share. Only the process that holds the lease runs it. */
const createSharedFeed = ({ logger, core: { log, pool, owner } }: RoleNeeds, bus: StatusBus) => {
  const closing = new AbortController();
  const throttled = createThrottle();
  const held = holdLease({
    pool,
    name: 'status-feed',
    owner,
    ttl_ms: FEED_LEASE_MS,
    signal: closing.signal,
    work: async (_lease, signal) => {
      const feed = createStatusFeed({ log, bus, logger });
      const { promise: over, resolve } = Promise.withResolvers<void>();
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
      await over;
      await feed.close();
    },
    onError: (error) =>
      throttled(() =>
        logger.info({ err: error }, 'this process does not run the status feed any more; it tries again'),
      ),
  });
  return {
    close: async () => {
      closing.abort();
      await held;
    },
  };
};

/** The role `projector`: keeps the read models up to date and feeds the live stream. */
export const startProjector = (needs: RoleNeeds, bus: StatusBus): void => {
  const { closing, logger, config, core } = needs;
  const { log, fence, pool, owner } = core;
  const isShared = config.nats_url !== null;
  closing.add('status feed', isShared ? createSharedFeed(needs, bus) : createStatusFeed({ log, bus, logger }));
  closing.add('projections', createProjectionRunner({ log, fence, pool, owner, logger }));
};

/** The role `processes`: runs the process managers, and calls the other services for them. */
export const startProcesses = (
  { closing, logger, config, core }: RoleNeeds,
  { objects, invoker }: Pick<ApiParts, 'objects' | 'invoker'>,
): void => {
  const { log, readModels } = core;
  closing.add(
    'processes',
    createProcessRunner({
      ...core,
      ...{ invoker, objects, logger },
      processes: processesOf(config, objects),
      findClustersByBudId: clustersIn(readModels, log),
    }),
  );
  closing.add('status watch', createStatusWatch({ ...core, ...config.status, invoker, logger }));
};

/** Serves the API and its live stream on a server that listens already. */
export const attach = (
  api: Api,
  http: { server: Server; serve: (handler: ReturnType<Api['app']['callback']>) => void },
) => {
  api.attachStream(http.server);
  http.serve(api.app.callback());
};
