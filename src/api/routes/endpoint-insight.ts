import { z } from 'zod';
import { Rejected, rejected } from '../../errors.ts';
import { EndpointId } from '../../events/ids.ts';
import { EndpointRow } from '../../projections/endpoints.ts';
import { WorkflowRow, workflows } from '../../projections/workflows.ts';
import { QueryTime } from '../http/query-time.ts';
import { freshness, getVisible, ROW_HEADERS } from '../read-route.ts';
import { type AnyRow, etagOf, resources } from '../resource.ts';
import { answers, type Exchange, ok, type Route, route } from '../route.ts';
import { callService } from '../service-call.ts';
import type { WriteServices } from '../write.ts';

const tag = 'endpoints';
const params = z.strictObject({ endpoint_id: EndpointId });
const query = z.strictObject(freshness);

interface Found {
  row: AnyRow;
  endpoint: EndpointRow;
}

const getEndpoint = async (
  services: WriteServices,
  exchange: Exchange<{ endpoint_id: EndpointId }, object>,
): Promise<Found> => {
  const row = await getVisible(services, resources.endpoint, { id: exchange.params.endpoint_id, exchange });
  return { row, endpoint: EndpointRow.parse(row) };
};

/** The cluster service's ids of the endpoint. Throws `Rejected` where it is not deployed. */
const deployedAs = ({ bud_cluster_id, namespace, status }: EndpointRow) => {
  if (bud_cluster_id !== null && namespace !== null) return { cluster_id: bud_cluster_id, namespace };
  throw rejected('endpoint-not-deployed', `The endpoint is ${status} and not deployed on a cluster.`);
};

const StatusAnswer = EndpointRow.pick({
  name: true,
  status: true,
  reason: true,
  since: true,
  deadline: true,
  url: true,
  desired: true,
  observed: true,
  rollout: true,
}).extend({
  id: EndpointId,
  /** Steps of the workflow of the current or last change. */
  steps: WorkflowRow.shape.steps,
  progress: z.number().nullable(),
  eta: z.string().nullable(),
});

/** What the facts say, or what was proven since without anything new. */
const later = (a: string | null, b: string | null): string | null =>
  a !== null && (b === null || Date.parse(a) > Date.parse(b)) ? a : b;

const statusRoute = (services: WriteServices): Route =>
  route({
    method: 'GET',
    path: '/endpoints/{endpoint_id}/status',
    operation_id: 'getEndpointStatus',
    summary: 'Get the desired and observed state and the rollout of an endpoint',
    tag,
    permission: 'endpoint:view',
    params,
    query,
    answers: answers(StatusAnswer, 'The status of the endpoint', ROW_HEADERS),
    refusals: ['not-found', 'unavailable'],
    handle: async (exchange) => {
      const { row, endpoint } = await getEndpoint(services, exchange);
      const { name, status, reason, since, deadline, url, desired, observed, rollout } = endpoint;
      const wanted = { tenant_id: exchange.caller.tenant_id, id: rollout.workflow_id };
      const workflow = await services.readModels.find(workflows, wanted);
      const { steps = [], progress = null, eta = null } = workflow ?? {};
      const proven_at = await services.proofs.find({ area: 'endpoint', id: row.id });
      const seen = observed && { ...observed, last_proof_at: later(observed.last_proof_at, proven_at) };
      const facts = { id: row.id, name, status, reason, since, deadline, url, desired, observed: seen, rollout };
      return ok({ ...facts, steps, progress, eta }, { ETag: etagOf(row), Position: row.position });
    },
  });

const Workers = z.object({ items: z.array(z.looseObject({ id: z.string().nullish(), name: z.string().nullish() })) });

const listWorkers = async (services: WriteServices, endpoint: EndpointRow, { facts }: Pick<Exchange, 'facts'>) => {
  const input = { ...deployedAs(endpoint), refresh: true };
  const { workers } = await callService(services, { name: 'cluster.list-workers', input, facts });
  return workers;
};

const workersRoute = (services: WriteServices): Route =>
  route({
    method: 'GET',
    path: '/endpoints/{endpoint_id}/workers',
    operation_id: 'listEndpointWorkers',
    summary: 'List the replicas of an endpoint',
    tag,
    permission: 'endpoint:view',
    params,
    query,
    answers: answers(Workers, 'The replicas, as the cluster service reports them now'),
    refusals: ['not-found', 'conflict', 'unavailable'],
    handle: async (exchange) => {
      const { endpoint } = await getEndpoint(services, exchange);
      return ok({ items: await listWorkers(services, endpoint, exchange) });
    },
  });

const workerLogsRoute = (services: WriteServices): Route =>
  route({
    method: 'GET',
    path: '/endpoints/{endpoint_id}/workers/{worker_id}/logs',
    operation_id: 'getEndpointWorkerLogs',
    summary: 'Get the latest log lines of a replica',
    tag,
    permission: 'endpoint:view',
    params: z.strictObject({ endpoint_id: EndpointId, worker_id: z.string().min(1).max(200) }),
    query,
    answers: answers(z.object({ lines: z.array(z.string()) }), 'The latest log lines'),
    refusals: ['not-found', 'conflict', 'unavailable'],
    handle: async (exchange) => {
      const { endpoint } = await getEndpoint(services, exchange);
      const { worker_id } = exchange.params;
      const workers = await listWorkers(services, endpoint, exchange);
      // The cluster service returns the logs of any worker, so check that this one belongs to the endpoint.
      if (!workers.some(({ id }) => id === worker_id)) {
        throw new Rejected('not-found', 'worker-not-found', `The endpoint has no worker ${worker_id}.`);
      }
      const { facts } = exchange;
      const { logs } = await callService(services, { name: 'cluster.worker-logs', input: { worker_id }, facts });
      return ok({ lines: logs });
    },
  });

const count = (description: string) => z.number().nullish().meta({ description });

const Figures = z
  .looseObject({
    request_count: count('Inference requests; metadata, health and what BudApp itself asks are not counted'),
    success_count: count('Answered with 2xx or 3xx'),
    failure_count: count('All others: client_error_count and server_error_count together'),
    client_error_count: count('Answered with 4xx: the request was wrong'),
    server_error_count: count('Answered with 5xx, or not at all: the endpoint failed'),
    success_rate: count('success_count of request_count, 0 to 1; null without requests'),
    latency_mean: count('Milliseconds; null without requests'),
    latency_p50: count('Milliseconds, the upper bound of a bucket; null without requests'),
  })
  .meta({ description: 'Figures of the inference requests of a span of time' });
const MetricsAnswer = z.object({
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  interval_minutes: z.int(),
  /** Over the whole period; null where the metrics service has none. */
  aggregated: Figures.nullable(),
  points: z.array(Figures),
});

const MetricsQuery = z.strictObject({
  ...freshness,
  from: QueryTime.optional(),
  to: QueryTime.optional(),
  interval_minutes: z.coerce.number().int().min(1).max(60).default(1),
});

const HOUR_MS = 60 * 60 * 1000;

const metricsRoute = (services: WriteServices): Route =>
  route({
    method: 'GET',
    path: '/endpoints/{endpoint_id}/metrics',
    operation_id: 'getEndpointMetrics',
    summary: 'Get count, latency and outcomes of the inference requests of an endpoint',
    tag,
    permission: 'endpoint:view',
    params,
    query: MetricsQuery,
    answers: answers(MetricsAnswer, 'Figures of the requested period; default: the last hour'),
    refusals: ['not-found', 'conflict', 'malformed', 'unavailable'],
    handle: async (exchange) => {
      const { endpoint } = await getEndpoint(services, exchange);
      const { namespace } = deployedAs(endpoint);
      const now = services.clock();
      const { interval_minutes, to = now, from = new Date(Date.parse(to) - HOUR_MS).toISOString() } = exchange.query;
      const input = { namespaces: [namespace], from_date: from, to_date: to, interval_minutes };
      const { facts } = exchange;
      const { aggregated, series } = await callService(services, { name: 'metrics.analytics', input, facts });
      const figures = aggregated.find((item) => item.namespace === namespace);
      const points = series.find((item) => item.namespace === namespace)?.points ?? [];
      return ok({ from, to, interval_minutes, aggregated: figures ? withoutNamespace(figures) : null, points });
    },
  });

const withoutNamespace = ({ namespace: _theirs, ...figures }: { namespace: string }) => figures;

/** Reads of an endpoint that need more than its row. */
export const endpointInsightRoutes = (services: WriteServices): Route[] => [
  statusRoute(services),
  workersRoute(services),
  workerLogsRoute(services),
  metricsRoute(services),
];
