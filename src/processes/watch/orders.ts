import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import { recordClusterStatus } from '../../commands/cluster/internal/record-cluster-status.ts';
import { requestClusterReregistration } from '../../commands/cluster/internal/request-cluster-reregistration.ts';
import type { AnyCommand } from '../../commands/command.ts';
import { recordEndpointReport } from '../../commands/endpoint/internal/record-endpoint-report.ts';
import { recordEndpointSilence } from '../../commands/endpoint/internal/record-endpoint-silence.ts';
import { requestEndpointRepair } from '../../commands/endpoint/internal/request-endpoint-repair.ts';
import type { TenantId } from '../../events/ids.ts';
import type { WatchedCluster, WatchedEndpoint } from '../../projections/queries/watched-query.ts';
import type { Finding } from './compare.ts';
import type { ClusterSight } from './look.ts';

/** A command that a round leads to. The domain decides again, on what is true when it is sent. */
export interface Order {
  command: AnyCommand;
  data: unknown;
  tenant_id: TenantId;
}

const order = <C extends AnyCommand>(command: C, data: z.input<C['data']>, tenant_id: TenantId): Order => ({
  command,
  data,
  tenant_id,
});

const recordCluster = (
  { id, tenant_id }: WatchedCluster,
  report: Omit<z.input<typeof recordClusterStatus.data>, 'cluster_id'>,
) => order(recordClusterStatus, { cluster_id: id, ...report }, tenant_id);

/** `confirmed`: the service has said so before, too. */
export const onClusterSeen = (
  cluster: WatchedCluster,
  sight: ClusterSight,
  { confirmed }: { confirmed: boolean },
): Order[] => {
  const wasAvailable = cluster.status === 'available';
  if (sight.kind === 'unknown-there') {
    if (!confirmed) return [];
    const again = order(requestClusterReregistration, { cluster_id: cluster.id }, cluster.tenant_id);
    if (!wasAvailable) return [again];
    const message = 'The cluster service does not know the cluster any more.';
    return [recordCluster(cluster, { available: false, reason: { code: 'cluster-unknown-there', message } }), again];
  }
  const { available, nodes, reason } = sight;
  if (available === wasAvailable && isDeepStrictEqual(nodes, cluster.nodes)) return [];
  return [recordCluster(cluster, { available, nodes, ...(reason ? { reason } : {}) })];
};

export const onClusterSilent = (cluster: WatchedCluster, last_proof_at: string | null): Order[] => {
  if (cluster.status !== 'available') return [];
  const since = last_proof_at === null ? '' : ` since ${last_proof_at}`;
  const message = `The cluster service has not reported on the cluster${since}.`;
  return [recordCluster(cluster, { available: false, reason: { code: 'no-report', message } })];
};

/** `confirmed`: the difference was there before, too, so that it does not go away by itself. */
export const onEndpointSeen = (
  { endpoint, report, difference }: Finding,
  { confirmed }: { confirmed: boolean },
): Order[] => {
  const { id: endpoint_id, tenant_id, status } = endpoint;
  const isCredible = difference !== 'deployment' || confirmed;
  const orders: Order[] = [];
  if (report && isCredible) orders.push(order(recordEndpointReport, { endpoint_id, ...report }, tenant_id));
  if (difference && confirmed && (report || status === 'degraded')) {
    const deployment_found = difference !== 'deployment';
    orders.push(order(requestEndpointRepair, { endpoint_id, deployment_found }, tenant_id));
  }
  return orders;
};

export const onEndpointSilent = (
  { id: endpoint_id, tenant_id, status, deadline }: WatchedEndpoint,
  { last_proof_at, now }: { last_proof_at: string | null; now: string },
): Order[] => {
  const isKnown = status === 'unknown' && (deadline === null || Date.parse(now) < Date.parse(deadline));
  return isKnown ? [] : [order(recordEndpointSilence, { endpoint_id, last_proof_at }, tenant_id)];
};
