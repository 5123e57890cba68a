import { z } from 'zod';
import { allows } from '../../commands/access.ts';
import { isAvailable, toClusterNodes } from '../../commands/cluster/cluster-report.ts';
import { deleteCluster } from '../../commands/cluster/delete-cluster.ts';
import { recordClusterStatus } from '../../commands/cluster/internal/record-cluster-status.ts';
import { registerCluster } from '../../commands/cluster/register-cluster.ts';
import { updateCluster } from '../../commands/cluster/update-cluster.ts';
import { parseInput } from '../../commands/engine/input.ts';
import { Rejected, rejected } from '../../errors.ts';
import { ClusterType } from '../../events/cluster-events.ts';
import { ClusterId } from '../../events/ids.ts';
import { ClusterRow, ClusterStatus } from '../../projections/clusters.ts';
import { commandRoutes } from '../command-route.ts';
import { type CommandAttempt, requestHash } from '../idempotency.ts';
import { freshness, getVisible, itemRoute, listRoute, ROW_HEADERS } from '../read-route.ts';
import { etagOf, resources } from '../resource.ts';
import { type Answer, answers, type Exchange, ok, type Route, route } from '../route.ts';
import { callService } from '../service-call.ts';
import { findOutcome, perform, type WriteServices, writeAnswer } from '../write.ts';
import { clusterRegistrationRoute } from './cluster-registration.ts';

const tag = 'clusters';
const params = z.strictObject({ cluster_id: ClusterId });
const query = z.strictObject(freshness);

const StatusAnswer = ClusterRow.pick({
  status: true,
  reason: true,
  since: true,
  deadline: true,
  capacity: true,
}).extend({
  id: ClusterId,
  workflow_id: ClusterRow.shape.workflow_id,
  nodes_ready: z.int(),
  nodes_total: z.int(),
  /** When the cluster service last answered or reported about the cluster; null where it has not yet. */
  last_proof_at: z.string().nullable(),
});

const statusRoute = (services: WriteServices): Route =>
  route({
    method: 'GET',
    path: '/clusters/{cluster_id}/status',
    operation_id: 'getClusterStatus',
    summary: 'Get the status of a cluster',
    tag,
    permission: 'cluster:view',
    params,
    query,
    answers: answers(StatusAnswer, 'The status of the cluster', ROW_HEADERS),
    refusals: ['not-found', 'unavailable'],
    handle: async (exchange) => {
      const row = await getVisible(services, resources.cluster, { id: exchange.params.cluster_id, exchange });
      const { status, reason, since, deadline, capacity, workflow_id, nodes } = ClusterRow.parse(row);
      const nodes_ready = nodes.filter((node) => node.status.toLowerCase() === 'ready').length;
      const counts = { nodes_ready, nodes_total: nodes.length };
      const last_proof_at = await services.proofs.find({ area: 'cluster', id: row.id });
      const body = { id: row.id, status, reason, since, deadline, workflow_id, capacity, ...counts, last_proof_at };
      return ok(body, { ETag: etagOf(row), Position: row.position });
    },
  });

const nodesRoute = (services: WriteServices): Route =>
  route({
    method: 'GET',
    path: '/clusters/{cluster_id}/nodes',
    operation_id: 'listClusterNodes',
    summary: 'List the nodes of a cluster',
    tag,
    permission: 'cluster:view',
    params,
    query,
    answers: answers(z.object({ items: ClusterRow.shape.nodes }), 'The nodes, as last reported', ROW_HEADERS),
    refusals: ['not-found', 'unavailable'],
    handle: async (exchange) => {
      const row = await getVisible(services, resources.cluster, { id: exchange.params.cluster_id, exchange });
      return ok({ items: ClusterRow.shape.nodes.parse(row.nodes) }, { ETag: etagOf(row), Position: row.position });
    },
  });

/** Asks the cluster service for the cluster's current status and nodes. */
const askCluster = async (services: WriteServices, clusterId: string, { facts }: Exchange) => {
  const input = { cluster_id: clusterId };
  const [{ nodes }, { status, message }] = await Promise.all([
    callService(services, { name: 'cluster.nodes', input, facts }),
    callService(services, { name: 'cluster.health', input, facts }),
  ]);
  const available = isAvailable(status);
  const reason = {
    code: 'reported-unavailable',
    message: message || 'The cluster service reports the cluster as unavailable.',
  };
  return { available, nodes: toClusterNodes(nodes), ...(available ? {} : { reason }) };
};

/** The body has no fields: the report comes from the cluster service. */
const SyncBody = z.strictObject({}).optional();

type SyncExchange = Exchange<{ cluster_id: ClusterId }>;

const reportFor = async (services: WriteServices, exchange: SyncExchange) => {
  const { caller, params } = exchange;
  const fresh = { ...exchange, query: {} };
  const row = await getVisible(services, resources.cluster, { id: params.cluster_id, exchange: fresh });
  if (!allows(caller.access, 'cluster:manage', null)) {
    throw new Rejected('forbidden', 'not-permitted', 'SyncCluster requires the scope cluster:manage.');
  }
  parseInput(SyncBody, exchange.body);
  const { bud_cluster_id } = ClusterRow.pick({ bud_cluster_id: true }).parse(row);
  if (bud_cluster_id === null) throw rejected('cluster-not-registered', 'The cluster is not registered yet.');
  return askCluster(services, bud_cluster_id, exchange);
};

/** Asks the cluster service and records its report as the system, so that no caller can forge one. */
const sync = async (services: WriteServices, exchange: SyncExchange, attempt: CommandAttempt): Promise<Answer> => {
  const { caller, params } = exchange;
  // A repeated request is answered from the log: the service could answer differently now, or be unavailable.
  const earlier = attempt.may_repeat && allows(caller.access, 'cluster:manage', null);
  const recorded = earlier
    ? await findOutcome(services, recordClusterStatus, { id: params.cluster_id, attempt })
    : null;
  if (recorded) return writeAnswer(services, recordClusterStatus, { outcome: recorded, attempt });
  const report = await reportFor(services, exchange);
  const outcome = await perform(services, recordClusterStatus, {
    data: { cluster_id: params.cluster_id, ...report },
    exchange,
    attempt,
    as: { tenant_id: caller.tenant_id, actor: caller.actor, access: 'system', user_id: caller.user_id },
  });
  return writeAnswer(services, recordClusterStatus, { outcome, attempt });
};

const syncRoute = (services: WriteServices): Route => ({
  ...route({
    method: 'POST',
    path: '/clusters/{cluster_id}/sync',
    operation_id: 'syncCluster',
    summary: 'Synchronise the status of a cluster with the cluster service',
    tag,
    permission: 'cluster:manage',
    params,
    answers: answers(resources.cluster.schema, 'The cluster with the report recorded'),
    refusals: ['forbidden', 'not-found', 'conflict', 'stale', 'invalid', 'unavailable'],
    handle: (exchange) => {
      const { caller, facts, ctx, body } = exchange;
      const keyed = { caller, key: facts.idempotency_key, request_hash: requestHash('POST', ctx.path, body ?? {}) };
      return services.idempotency.run(keyed, (attempt) => sync(services, exchange, attempt));
    },
  }),
  body: { kind: 'json', schema: SyncBody },
  writes: true,
});

export const clusterRoutes = (services: WriteServices): Route[] => {
  const command = commandRoutes(services);
  const cluster = '/clusters/{cluster_id}';
  return [
    clusterRegistrationRoute(
      command('POST', '/clusters', registerCluster, {
        tag,
        starts_process: true,
        example: {
          name: 'on-prem',
          cluster_type: 'ON_PREM',
          ingress_url: '',
          configuration: 'apiVersion: v1\nkind: Config',
        },
      }),
    ),
    listRoute(services, resources.cluster, {
      tag,
      filters: { name: z.string(), status: ClusterStatus, cluster_type: ClusterType },
      sortable: ['created_at', 'updated_at', 'name'],
    }),
    itemRoute(services, resources.cluster, { tag, parameter: 'cluster_id' }),
    command('PATCH', cluster, updateCluster, { tag, example: { ingress_url: 'https://models.example.org' } }),
    command('DELETE', cluster, deleteCluster, { tag, starts_process: true }),
    statusRoute(services),
    nodesRoute(services),
    syncRoute(services),
  ];
};
