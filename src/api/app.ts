import Router from '@koa/router';
import Koa, { type Context, type Next } from 'koa';
import { Histogram } from 'prom-client';
import { createThrottle } from '../resilience/throttle.ts';
import { dispatch, type Identifying } from './dispatch.ts';
import { HttpRefusal, PROBLEM_TYPE, problemOf } from './http/problem.ts';
import { requestIdOf } from './request-facts.ts';
import type { Method, Route } from './route.ts';
import type { ApiServices } from './services.ts';

const SECURITY_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
};

/** How long the rest of a refused upload is read and discarded before its connection is closed. */
const DRAIN_MS = 10_000;

/**
 * Discards the rest of the request body, so that a client that is still sending can read the answer. Closes the
 * connection when that takes too long.
 */
const drain = ({ req, res }: Context): void => {
  if (req.complete || req.destroyed) return;
  req.resume();
  const timer = setTimeout(() => req.destroy(), DRAIN_MS).unref();
  req.once('end', () => clearTimeout(timer));
  res.once('close', () => clearTimeout(timer));
};

const withProblems = ({ logger }: Pick<ApiServices, 'logger'>) => {
  const throttled = createThrottle();
  const logFailure = (
    error: unknown,
    status: number,
    request: { request_id: string; method: string; path: string },
  ): void => {
    if (status !== 503) {
      logger.error({ err: error, ...request }, 'a request failed');
      return;
    }
    throttled(() =>
      logger.warn({ err: error, ...request }, 'the database cannot be reached (POSTGRES_HOST): requests get 503'),
    );
  };

  return async (ctx: Context, next: Next): Promise<void> => {
    const requestId = requestIdOf(ctx.get('x-request-id'));
    ctx.state.request_id = requestId;
    ctx.set({ ...SECURITY_HEADERS, 'X-Request-Id': requestId });
    try {
      await next();
    } catch (error) {
      const problem = problemOf(error, requestId);
      if (problem.unexpected) {
        logFailure(error, problem.status, { request_id: requestId, method: ctx.method, path: ctx.path });
      }
      ctx.set({ ...problem.headers, 'Cache-Control': 'no-store' });
      ctx.status = problem.status;
      ctx.type = PROBLEM_TYPE;
      ctx.body = JSON.stringify(problem.body);
      drain(ctx);
    }
  };
};

const measureRequests = ({ metrics }: Pick<ApiServices, 'metrics'>) => {
  const name = 'budapp_http_request_duration_seconds';
  const known = metrics.getSingleMetric(name);
  const histogram =
    known instanceof Histogram
      ? known
      : new Histogram({
          name,
          help: 'Duration of HTTP requests in seconds',
          labelNames: ['method', 'route', 'status'],
          buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
          registers: [metrics],
        });
  return async (ctx: Context, next: Next): Promise<void> => {
    const start = performance.now();
    await next();
    // The label is the route, since a path has ids in it and each would make a series of its own.
    const route = typeof ctx.state.route === 'string' ? ctx.state.route : 'unknown';
    histogram.observe({ method: ctx.method, route, status: String(ctx.status) }, (performance.now() - start) / 1000);
  };
};

/** Turns `/projects/{project_id}` into the router's form, `/projects/:project_id`. */
const routerPath = (path: string): string => path.replaceAll(/\{(\w+)\}/g, ':$1');

const methodsAt = (router: Router, path: string): string[] => {
  const matching = router.match(path, 'GET').path;
  return [...new Set(matching.flatMap((layer) => layer.methods))].sort();
};

const refuseUnknown =
  (router: Router) =>
  (ctx: Context): void => {
    const allowed = methodsAt(router, ctx.path);
    if (allowed.length === 0) {
      throw new HttpRefusal('unknown-path', `No resource exists at ${ctx.path}.`, {
        hint: 'GET /docs lists all paths.',
      });
    }
    const Allow = [...allowed, 'OPTIONS'].join(', ');
    if (ctx.method === 'OPTIONS') {
      ctx.set('Allow', Allow);
      ctx.status = 204;
      return;
    }
    throw new HttpRefusal('method-not-allowed', `${ctx.path} does not support ${ctx.method}.`, {
      headers: { Allow },
    });
  };

const register = (router: Router, method: Method, path: string, handler: (ctx: Context) => Promise<void>): void => {
  router.register(routerPath(path), [method], handler);
};

/** The Koa application that serves the routes. */
export const createApp = (
  services: Pick<ApiServices, 'logger' | 'metrics'>,
  { routes, ...known }: { routes: readonly Route[] } & Identifying,
): Koa => {
  const app = new Koa();
  // Koa logs nothing: `withProblems` handles every error, and a later one means only that the client has disconnected.
  app.silent = true;
  const router = new Router();
  for (const route of routes) {
    const handler = dispatch(route, known);
    register(router, route.method, route.path, async (ctx) => {
      ctx.state.route = route.path;
      await handler(ctx);
    });
  }
  app.use(measureRequests(services));
  app.use(withProblems(services));
  app.use(router.routes());
  app.use(refuseUnknown(router));
  return app;
};
