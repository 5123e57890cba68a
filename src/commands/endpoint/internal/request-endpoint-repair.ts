import { z } from 'zod';
import { EndpointId, WorkflowId } from '../../../events/ids.ts';
import { cluster } from '../../cluster/cluster-state.ts';
import { need } from '../../command.ts';
import { deadlineAfter } from '../../deadlines.ts';
import { endpointCommand } from '../endpoint-state.ts';
import { reconcile } from '../reconcile.ts';

export const requestEndpointRepair = endpointCommand({
  type: 'RequestEndpointRepair',
  summary: 'Repair an endpoint whose replicas are not what is desired',
  permission: 'system',
  data: z.strictObject({
    endpoint_id: EndpointId,
    /** Whether the cluster knows the endpoint's namespace. */
    deployment_found: z.boolean(),
  }),
  target: ({ endpoint_id }) => endpoint_id,
  needs: (_data, state) => ({ cluster: need(cluster, state.placement?.cluster_id) }),
  decide: ({ endpoint_id, deployment_found }, state, { needs, make, now, deadlines }) => {
    // What is changed or deleted is left alone, and so is what nothing is known of. A healthy endpoint needs no repair.
    if (state.status !== 'degraded' || state.requested_by === null) return [];
    const { repair, replicas, known_workers, observed } = state;
    // One at a time, and after one that failed not at once.
    if (repair && Date.parse(now) < Date.parse(repair.until)) return [];
    const { missing, surplus } = reconcile({ desired: replicas, known: known_workers }, observed.workers);
    // The cluster starts replicas that end again by itself.
    if (deployment_found && missing === 0 && surplus.length === 0) return [];
    // The repair of a cluster that cannot be reached would only fail.
    if (needs.cluster?.status !== 'available') return [];
    const { project_id, requested_by, name, model_source, deploy_config, resources_per_replica } = state;
    return {
      type: 'EndpointRepairRequested',
      data: {
        endpoint_id,
        workflow_id: WorkflowId.parse(make('repair')),
        project_id,
        user_id: requested_by,
        name,
        model_source,
        deploy_config,
        resources_per_replica,
        ...state.placement,
        // The cluster service may know the cluster by another id by now.
        bud_cluster_id: needs.cluster.bud_cluster_id,
        namespace: state.namespace,
        replicas,
        known_workers: [...known_workers],
        missing: deployment_found ? missing : replicas,
        redeploy: !deployment_found,
        attempt: (repair?.attempt ?? 0) + 1,
        deadline: deadlineAfter(now, deadlines.deployment),
      },
    };
  },
});
