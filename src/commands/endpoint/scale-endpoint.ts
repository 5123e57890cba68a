import { z } from 'zod';
import { rejected } from '../../errors.ts';
import { EndpointId, WorkflowId } from '../../events/ids.ts';
import { ScaledReplicas } from '../../events/values.ts';
import { assertAvailable, cluster, findRoom } from '../cluster/cluster-state.ts';
import { need } from '../command.ts';
import { deadlineAfter } from '../deadlines.ts';
import { assertScalable, endpointCommand } from './endpoint-state.ts';
import { endOfRecovery } from './recovery.ts';

export const scaleEndpoint = endpointCommand({
  type: 'ScaleEndpoint',
  summary: 'Scale an endpoint, stop it (0 replicas) or start it again',
  permission: 'endpoint:manage',
  data: z.strictObject({
    endpoint_id: EndpointId,
    /** 0 stops the endpoint: it keeps its name, settings and URL, and starts again when it is scaled up. */
    replicas: ScaledReplicas,
  }),
  target: ({ endpoint_id }) => endpoint_id,
  needs: (_data, state) => ({ cluster: need(cluster, state.placement?.cluster_id) }),
  decide: ({ endpoint_id, replicas }, state, { needs, make, now, deadlines }) => {
    assertScalable(state);
    if (replicas === state.replicas) return [];
    if (!needs.cluster) throw rejected('cluster-not-available', 'The cluster of the endpoint has been deleted.');
    assertAvailable(needs.cluster);
    const { project_id, name, model_source, deploy_config, resources_per_replica, placement, namespace } = state;
    if (replicas > state.replicas) findRoom(needs.cluster, { endpoint_id, replicas, each: resources_per_replica });
    return {
      type: 'EndpointScalingRequested',
      data: {
        endpoint_id,
        workflow_id: WorkflowId.parse(make('workflow')),
        project_id,
        name,
        model_source,
        deploy_config,
        resources_per_replica,
        ...placement,
        namespace,
        replicas,
        previous_replicas: state.replicas,
        deadline: deadlineAfter(now, deadlines.deployment),
        ...endOfRecovery(state),
      },
    };
  },
});
