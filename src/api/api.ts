import type { Server } from 'node:http';
import type Koa from 'koa';
import type { Area } from '../events/catalog.ts';
import type { Closable } from '../ports/closable.ts';
import { createStatusMapper } from '../projections/engine/status-feed.ts';
import { createThrottle } from '../resilience/throttle.ts';
import { createApp } from './app.ts';
import { createCallers } from './callers/caller.ts';
import { createIdempotency } from './idempotency.ts';
import { observeLag } from './lag-metrics.ts';
import type { LiveOptions } from './live/client.ts';
import { createHub } from './live/hub.ts';
import { sseRoute } from './live/sse-route.ts';
import { upgradeRoute } from './live/upgrade-route.ts';
import { createViewers } from './live/viewers.ts';
import { attachWebSocket } from './live/websocket.ts';
import { createOwnWrites } from './own-writes.ts';
import { createPendingUploads } from './pending-uploads.ts';
import type { Route } from './route.ts';
import { auditRoutes } from './routes/audit.ts';
import { authRoutes } from './routes/auth.ts';
import { clusterRoutes } from './routes/clusters.ts';
import { commandCatalogRoutes } from './routes/commands.ts';
import { docsRoutes } from './routes/docs.ts';
import { endpointRoutes } from './routes/endpoints.ts';
import { healthRoutes } from './routes/health.ts';
import { modelRoutes } from './routes/models.ts';
import { operationRoutes } from './routes/operations.ts';
import { projectRoutes } from './routes/projects.ts';
import { serviceRoutes } from './routes/services.ts';
import { userRoutes } from './routes/users.ts';
import { workflowRoutes } from './routes/workflows.ts';
import type { ApiServices } from './services.ts';
import { createUploadCleanup } from './upload-cleanup.ts';
import type { WriteServices } from './write.ts';

export interface Api extends Closable {
  app: Koa;
  /** Serves `GET /stream` on the server's upgrades; to be called once, before it listens. */
  attachStream(server: Server): void;
}

/** The routes of each area. The compiler requires an entry for a new area. */
const areaRoutes: Readonly<Record<Area, (services: WriteServices) => Route[]>> = {
  user: userRoutes,
  project: projectRoutes,
  model: modelRoutes,
  endpoint: endpointRoutes,
  cluster: clusterRoutes,
  workflow: workflowRoutes,
};

/** All routes of the API, by area. */
const routesOf = (services: WriteServices): Route[] => [
  ...authRoutes(services),
  ...Object.values(areaRoutes).flatMap((routes) => routes(services)),
  ...commandCatalogRoutes(services),
  ...auditRoutes(services),
  ...serviceRoutes(services),
  ...operationRoutes(services),
  ...healthRoutes(services),
];

/** Makes the API. It does not listen: the caller passes `app.callback()` to a server of its own. */
export const createApi = async (services: ApiServices): Promise<Api> => {
  const { log, bus, logger, pool, readModels, objects } = services;
  observeLag(services);
  const callers = createCallers(services);
  const ownWrites = createOwnWrites({
    log,
    logger,
    readPositions: readModels.positions,
    onAccessChange: ({ user_id, area, position }) =>
      area === 'user' ? callers.accessChanged(user_id, position) : callers.membershipChanged(user_id, position),
    timeout_ms: services.settings.own_writes_timeout_ms,
  });
  const idempotency = createIdempotency({ pool, logger });
  const pending = createPendingUploads({ pool, alone: services.settings.alone });
  const uploads = createUploadCleanup({ log, objects, logger, pending });
  void uploads.watch();
  const hub = await createHub({ log, bus, mapper: createStatusMapper({ log }), logger });
  const throttled = createThrottle();
  const viewers = createViewers({ hub, log, callers });
  const live: LiveOptions = { hub, log, callers, viewers, logger, throttled };
  const openStreams = new Set<() => void>();
  const attached: Closable[] = [];

  const areas = routesOf({ ...services, callers, ownWrites, idempotency, uploads });
  const routes = [...areas, sseRoute(live, openStreams), upgradeRoute()];
  const app = createApp(services, {
    routes: [...routes, ...docsRoutes(routes, services.settings)],
    callers,
    ownWrites,
  });

  return {
    app,
    attachStream(server) {
      attached.push(attachWebSocket(server, live));
    },
    async close() {
      for (const end of openStreams) end();
      await Promise.all(attached.splice(0).map((each) => each.close()));
      viewers.close();
      await hub.close();
      await ownWrites.close();
      await uploads.close();
      await idempotency.close();
    },
  };
};
