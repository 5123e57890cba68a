import pTimeout from 'p-timeout';
import { z } from 'zod';
import { failureText } from '../../failures/failure-text.ts';
import type { Dependency } from '../../ports/dependency.ts';
import type { ProcessOperations } from '../../ports/process-operations.ts';
import { HttpRefusal } from '../http/problem.ts';
import { publicRoute } from '../public-route.ts';
import { type Answer, answers, ok, type Route } from '../route.ts';
import type { ApiServices } from '../services.ts';

/** Services that the health checks need. */
export type HealthServices = Pick<
  ApiServices,
  'dependencies' | 'projections' | 'log' | 'clock' | 'metrics' | 'settings'
> & { processes: Pick<ProcessOperations, 'progress'> };

const tag = 'operations';
const CHECK_TIMEOUT_MS = 2000;
/** Seconds without progress, while there are events to read, after which the process managers are reported as stalled. */
const STALLED_SECONDS = 30;

const DependencyHealth = z.object({
  name: z.string(),
  /** The implementation in use. */
  implementation: z.string(),
  /** True for a stand-in of the embedded default. */
  stand_in: z.boolean(),
  /** Whether the process is not ready without it; without any other dependency it is degraded. */
  needed: z.boolean(),
  ok: z.boolean(),
  latency_ms: z.number(),
  error: z.string().optional(),
});
type DependencyHealth = z.output<typeof DependencyHealth>;

const Readiness = z.object({
  /**
   * `degraded`: a dependency that is not needed for every request is unavailable, or the process managers make no
   * progress; `dependencies` and `processes` say which.
   */
  status: z.enum(['ready', 'degraded', 'not-ready']),
  dependencies: z.array(DependencyHealth),
  projections: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      position: z.string().nullable(),
      /** Whether it has handled all events of the log. */
      caught_up: z.boolean(),
      /** Seconds since its last progress; 0 once it has caught up. */
      lag_seconds: z.number(),
      parked: z.int(),
    }),
  ),
  /** The process managers; null where they cannot be asked. */
  processes: z
    .object({
      position: z.string().nullable(),
      /** Whether they have read all events of the log. */
      caught_up: z.boolean(),
      /** Seconds since the last progress; 0 once they have caught up. */
      lag_seconds: z.number(),
      /** True after 30 seconds without progress. */
      stalled: z.boolean(),
      /** Commands and calls that are not done, and those among them that have failed before. */
      open: z.int(),
      retrying: z.int(),
      /** Instances that wait for a retry or for an operator. */
      parked: z.int(),
    })
    .nullable(),
  /** Position of the newest event; null where there is none, or where the log is unavailable. */
  head: z.string().nullable(),
});

const withTimeout = <T>(work: Promise<T>): Promise<T> =>
  pTimeout(work, { milliseconds: CHECK_TIMEOUT_MS, message: `no answer within ${CHECK_TIMEOUT_MS} ms` });

const checkOne = async (dependency: Dependency): Promise<DependencyHealth> => {
  const { name, implementation, stand_in, needed } = dependency;
  const start = performance.now();
  const measured = () => ({ latency_ms: Math.round((performance.now() - start) * 100) / 100 });
  try {
    await withTimeout(dependency.check());
    return { name, implementation, stand_in, needed, ok: true, ...measured() };
  } catch (error) {
    return { name, implementation, stand_in, needed, ok: false, ...measured(), error: failureText(error) };
  }
};

/** How far the process managers are behind the log. Throws where the log or the database does not answer in time. */
export const processLag = async ({ processes, log, clock }: HealthServices) => {
  const [head, { position, updated_at, ...work }] = await withTimeout(Promise.all([log.head(), processes.progress()]));
  const caught_up = head === null || (position !== null && position >= head);
  const lag_seconds =
    caught_up || updated_at === null ? 0 : Math.max(0, (Date.parse(clock()) - Date.parse(updated_at)) / 1000);
  return { position, caught_up, lag_seconds, stalled: lag_seconds > STALLED_SECONDS, ...work };
};

/** How far each read model is behind the log. Throws where the log or the database does not answer in time. */
export const projectionLag = async ({ projections, log, clock }: HealthServices) => {
  const [head, status] = await withTimeout(Promise.all([log.head(), projections.status()]));
  const now = Date.parse(clock());
  const lag = status.map(({ name, status: state, position, parked, updated_at }) => {
    const caught_up = head === null || (position !== null && position >= head);
    const lag_seconds = caught_up ? 0 : Math.max(0, (now - Date.parse(updated_at)) / 1000);
    return { name, status: state, position, caught_up, lag_seconds, parked };
  });
  return { head, lag };
};

const ready = async (services: HealthServices): Promise<Answer> => {
  const dependencies = await Promise.all(services.dependencies.map(checkOne));
  const [projections, processes] = await Promise.all([
    projectionLag(services).catch(() => null),
    processLag(services).catch(() => null),
  ]);
  const canServe = projections !== null && dependencies.every((each) => each.ok || !each.needed);
  const isWhole = dependencies.every((each) => each.ok) && processes?.stalled === false;
  const body = {
    status: canServe ? (isWhole ? 'ready' : 'degraded') : 'not-ready',
    dependencies,
    projections: projections?.lag ?? [],
    processes,
    head: projections?.head ?? null,
  };
  return { success: canServe ? 'ok' : 'not-ready', body };
};

const metricsRoute = ({ metrics, settings }: HealthServices): Route =>
  publicRoute({
    method: 'GET',
    path: '/metrics',
    operation_id: 'getMetrics',
    summary: 'Get metrics in Prometheus format',
    tag,
    answers: { ok: { description: 'Prometheus text format', schema: null, type: 'text/plain' } },
    handle: async () => {
      if (!settings.enable_metrics) throw new HttpRefusal('unknown-path', 'Metrics are disabled (ENABLE_METRICS).');
      return { success: 'ok', body: await metrics.metrics(), type: metrics.contentType };
    },
  });

/** Liveness, readiness, version and metrics. */
export const healthRoutes = (services: HealthServices): Route[] => [
  publicRoute({
    method: 'GET',
    path: '/health',
    operation_id: 'getHealth',
    summary: 'Check that the process is alive',
    tag,
    answers: answers(z.object({ status: z.literal('ok') }), 'The process is alive'),
    handle: async () => ok({ status: 'ok' }),
  }),
  publicRoute({
    method: 'GET',
    path: '/health/ready',
    operation_id: 'getReadiness',
    summary:
      'Check readiness: each dependency with its latency, each read model and the process managers with their lag',
    tag,
    answers: {
      ...answers(Readiness, 'The process is ready'),
      'not-ready': {
        description: 'The process is not ready; the body says which dependency is missing',
        schema: Readiness,
      },
    },
    handle: () => ready(services),
  }),
  publicRoute({
    method: 'GET',
    path: '/version',
    operation_id: 'getVersion',
    summary: 'Get the running version',
    tag,
    answers: answers(z.object({ name: z.string(), version: z.string(), node: z.string() }), 'The version'),
    handle: async () => ok({ name: 'budapp', version: services.settings.version, node: process.versions.node }),
  }),
  metricsRoute(services),
];
