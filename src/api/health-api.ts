import type Koa from 'koa';
import { Rejected } from '../errors.ts';
import { createApp } from './app.ts';
import type { Identifying } from './dispatch.ts';
import { observeLag } from './lag-metrics.ts';
import { type HealthServices, healthRoutes } from './routes/health.ts';
import type { ApiServices } from './services.ts';

/** No route of this API needs a caller. */
const noCallers: Identifying = {
  callers: {
    fromAuthorization: async () => {
      throw new Rejected('unauthenticated', 'no-callers', 'This process serves no requests of users.');
    },
  },
  ownWrites: { refresh: async () => undefined, upTo: () => null },
};

/** The API of a process without the role `api`: health, version and metrics. */
export const createHealthApi = (services: HealthServices & Pick<ApiServices, 'logger'>): Koa => {
  observeLag(services);
  return createApp(services, { routes: healthRoutes(services), ...noCallers });
};
