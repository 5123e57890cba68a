import pTimeout from 'p-timeout';
import { z } from 'zod';
import { Position } from '../../events/event.ts';
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
/** Seconds without progress, while there are events to read, after which a reader of the log is reported as stalled. */
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
   * `degraded`: a dependency that is not needed for every request is unavailable, or a read model or the process managers
   * make no progress; `dependencies`, `projections` and `processes` say which.
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
      /** Seconds for which it has made no progress although there is something to read; 0 once it has caught up. */
      lag_seconds: z.number(),
      /** True after 30 seconds without progress. */
      stalled: z.boolean(),
      parked: z.int(),
    }),
  ),
  /** The process managers; null where they cannot be asked. */
  processes: z
    .object({
      position: z.string().nullable(),
      /** Whether they have read all events of the log. */
      caught_up: z.boolean(),
      /** Seconds for which they have made no progress although there is something to read; 0 once they have caught up. */
      lag_seconds: z.number(),
      /** True after 30 seconds without progress. */
      stalled: z.boolean(),
      /** Commands and calls that are not done, and those among them that have failed before. */
      open: z.int(),
      retrying: z.int(),
      /** Instances that wait for a retry or for an operator. */
      parked: z.int(),
      /** Commands and calls whose attempts are used up, and that wait for an operator. */
      parked_intents: z.int(),
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

interface LookedAt {
  /** The log's head before the readers were looked at, and after it. */
  from: string | null;
  head: string | null;
  now: number;
}

/**
 * Whether a reader of the log is at its head and, where it is not, the seconds since its last progress. One that is ahead
 * of the head has read what the log has lost, and is not caught up.
 */
const lagOf = (
  { position, updated_at }: { position: string | null; updated_at: string | null },
  { from, head, now }: LookedAt,
) => {
  const isBehind = from !== null && (position === null || position < from);
  const isAhead = position !== null && (head === null || position > head);
  const caught_up = !isBehind && !isAhead;
  const lag_seconds = caught_up || updated_at === null ? 0 : Math.max(0, (now - Date.parse(updated_at)) / 1000);
  return { caught_up, lag_seconds };
};

/** When the first event after a position was appended; null where the log does not say. */
const unreadSince = async (log: HealthServices['log'], position: string | null): Promise<number | null> => {
  const after = position === null ? 'start' : Position.parse(position);
  for await (const item of log.subscribe({ after, live: false })) return 'at' in item ? Date.parse(item.at) : null;
  return null;
};

/**
 * How long each reader that is behind has had something to read. A reader of a quiet log has moved long ago, and stands
 * only from the next event on.
 */
const findStalled = async <Lag extends { position: string | null; lag_seconds: number }>(
  lags: readonly Lag[],
  { log, now }: { log: HealthServices['log']; now: number },
): Promise<(Lag & { stalled: boolean })[]> => {
  const doubtful = lags.filter(({ lag_seconds }) => lag_seconds > STALLED_SECONDS).map(({ position }) => position);
  const unread = new Map<string | null, number | null>();
  for (const position of new Set(doubtful))
    unread.set(position, await withTimeout(unreadSince(log, position)).catch(() => null));
  return lags.map((lag) => {
    const since = unread.get(lag.position) ?? null;
    const waiting = since === null ? lag.lag_seconds : Math.max(0, (now - since) / 1000);
    const lag_seconds = Math.min(lag.lag_seconds, waiting);
    return { ...lag, lag_seconds, stalled: lag_seconds > STALLED_SECONDS };
  });
};

/**
 * How far the read models and the process managers are behind the log; `processes` is null where they cannot be asked.
 * Throws where the log or the read models do not answer in time.
 */
export const readLag = async ({ projections, processes, log, clock }: HealthServices) => {
  const from = await withTimeout(log.head());
  const [status, progress] = await Promise.all([
    withTimeout(projections.status()),
    withTimeout(processes.progress()).catch(() => null),
  ]);
  // Asked again, so that nobody is ahead of it who has only just read a new event.
  const head = await withTimeout(log.head());
  const at = { from, head, now: Date.parse(clock()) };
  const [projectionLags, processLags] = await Promise.all([
    findStalled(
      status.map((model) => ({ ...model, ...lagOf(model, at) })),
      { log, now: at.now },
    ),
    findStalled(progress ? [{ ...progress, ...lagOf(progress, at) }] : [], { log, now: at.now }),
  ]);
  return {
    head,
    projections: projectionLags.map(({ name, status: state, position, caught_up, lag_seconds, stalled, parked }) => ({
      ...{ name, status: state, position },
      ...{ caught_up, lag_seconds, stalled },
      parked,
    })),
    processes: processLags.map(({ updated_at: _, ...lag }) => lag)[0] ?? null,
  };
};

const ready = async (services: HealthServices): Promise<Answer> => {
  const [dependencies, lag] = await Promise.all([
    Promise.all(services.dependencies.map(checkOne)),
    readLag(services).catch(() => null),
  ]);
  const canServe = lag !== null && dependencies.every((each) => each.ok || !each.needed);
  const isMoving = lag?.processes?.stalled === false && lag.projections.every(({ stalled }) => !stalled);
  const isWhole = dependencies.every((each) => each.ok) && isMoving;
  const body = {
    status: canServe ? (isWhole ? 'ready' : 'degraded') : 'not-ready',
    dependencies,
    projections: lag?.projections ?? [],
    processes: lag?.processes ?? null,
    head: lag?.head ?? null,
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
