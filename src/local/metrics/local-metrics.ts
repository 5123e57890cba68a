import type { Logger } from 'pino';
import { AggregatedMetricsRequest, TimeSeriesRequest } from '../../contracts/budmetrics.ts';
import { type Listen, type LocalService, readJson, ServiceRefusal, serveLoopback } from '../service/loopback.ts';
import { figuresOf, seriesOf, within } from './figures.ts';
import { type ServedMinute, ServeMetrics } from './serve-metrics.ts';

const ANSWER_TIMEOUT_MS = 5_000;

interface Served {
  namespace: string;
  minutes: ServedMinute[];
}

/** The embedded stand-in for budmetrics: returns what the local cluster's ingress counted. It stores nothing itself. */
export const createLocalMetrics = async (options: {
  cluster_url: string;
  /** Headers that a proxy in between requires, such as a sidecar's token. */
  cluster_headers?: Readonly<Record<string, string>> | undefined;
  log: Logger;
  listen?: Listen | undefined;
}): Promise<LocalService> => {
  const { cluster_url, cluster_headers = {} } = options;
  const readNamespace = async (namespace: string): Promise<ServeMetrics> => {
    const query = new URLSearchParams({ namespace });
    try {
      const response = await fetch(`${cluster_url}/serve-metrics?${query}`, {
        headers: cluster_headers,
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      });
      return ServeMetrics.parse(await response.json());
    } catch (error) {
      options.log.warn({ err: error, namespace }, 'the local cluster does not tell what its ingress saw');
      throw new ServiceRefusal(503, 'the cluster service cannot be reached');
    }
  };

  const read = (request: AggregatedMetricsRequest): Promise<Served[]> => {
    const to = request.to_date === undefined ? Date.now() : Date.parse(request.to_date);
    const span = { from: Date.parse(request.from_date), to };
    return Promise.all(
      request.namespaces.map(async (namespace) => ({
        namespace,
        minutes: within((await readNamespace(namespace)).minutes, span),
      })),
    );
  };

  const aggregate = (served: readonly Served[]) =>
    served.map(({ namespace, minutes }) => ({ namespace, ...figuresOf(minutes) }));
  const series = (served: readonly Served[], interval_minutes: number) =>
    served.map(({ namespace, minutes }) => ({ namespace, points: seriesOf(minutes, interval_minutes) }));

  return serveLoopback({
    log: options.log,
    listen: options.listen,
    mount(router) {
      router.post('/observability/metrics/aggregated', async (ctx) => {
        ctx.body = { items: aggregate(await read(await readJson(ctx, AggregatedMetricsRequest))) };
      });
      router.post('/observability/metrics/time-series', async (ctx) => {
        const { interval_minutes, ...selection } = await readJson(ctx, TimeSeriesRequest);
        ctx.body = { items: series(await read(selection), interval_minutes) };
      });
      router.post('/observability/analytics', async (ctx) => {
        const { interval_minutes, ...selection } = await readJson(ctx, TimeSeriesRequest);
        const served = await read(selection);
        ctx.body = { aggregated: aggregate(served), series: series(served, interval_minutes) };
      });
    },
  });
};
