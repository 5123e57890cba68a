import { isAvailable, saysAvailable, toClusterNodes } from '../../commands/cluster/cluster-report.ts';
import type { CallAnswer, CallInput, CallName } from '../../contracts/calls.ts';
import { parseAnswer, toRequest } from '../../contracts/calls.ts';
import type { ClusterNode, Reason } from '../../events/values.ts';
import { ServiceFailure, type ServiceInvoker } from '../../ports/service-invoker.ts';
import type { WatchedCluster } from '../../projections/queries/watched-query.ts';
import type { Sight } from './compare.ts';

export interface LookOptions {
  invoker: ServiceInvoker;
  call_timeout_ms: number;
}

/** What the cluster service says of a cluster. */
export type ClusterSight =
  | { kind: 'seen'; available: boolean; nodes: ClusterNode[]; reason: Reason | null }
  /** The service does not know the cluster. */
  | { kind: 'unknown-there' };

const NOT_FOUND = 404;

const isNotFound = (error: unknown): boolean => error instanceof ServiceFailure && error.status === NOT_FOUND;

/** Asks the cluster service. A refusal, silence or nonsense is no proof of anything: `undefined`. */
export const createLook = ({ invoker, call_timeout_ms }: LookOptions) => {
  const ask = async <Name extends CallName>(name: Name, input: CallInput<Name>): Promise<CallAnswer<Name>> => {
    const request = toRequest(name, input);
    const timeout_ms = Math.min(request.timeout_ms, call_timeout_ms);
    return parseAnswer(name, await invoker.invoke({ ...request, timeout_ms }));
  };

  return {
    async atCluster({ bud_cluster_id, status }: WatchedCluster): Promise<ClusterSight | undefined> {
      const cluster = { cluster_id: bud_cluster_id };
      try {
        const health = await ask('cluster.health', cluster);
        const { nodes } = await ask('cluster.nodes', cluster);
        const available = status === 'available' ? isAvailable(health.status) : saysAvailable(health.status);
        const message = health.message || `The cluster service reports: ${health.status}.`;
        const reason = available ? null : { code: 'reported-unavailable', message };
        return { kind: 'seen', available, nodes: toClusterNodes(nodes), reason };
      } catch (error) {
        return isNotFound(error) ? { kind: 'unknown-there' } : undefined;
      }
    },
    async atWorkers(bud_cluster_id: string, namespace: string): Promise<Sight | undefined> {
      const input = { cluster_id: bud_cluster_id, namespace, refresh: true, limit: 100 };
      try {
        return (await ask('cluster.list-workers', input)).workers;
      } catch (error) {
        return isNotFound(error) ? null : undefined;
      }
    },
  };
};
export type Look = ReturnType<typeof createLook>;
