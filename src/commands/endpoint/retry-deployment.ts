import { z } from 'zod';
import { EndpointId, WorkflowId } from '../../events/ids.ts';
import { assertRetryable } from '../retry.ts';
import { deploymentNeeds, deploymentRequested } from './deployment-request.ts';
import { endpointCommand } from './endpoint-state.ts';

export const retryDeployment = endpointCommand({
  type: 'RetryDeployment',
  summary: 'Deploy an endpoint again whose deployment failed or was cancelled',
  permission: 'endpoint:manage',
  data: z.strictObject({
    endpoint_id: EndpointId,
    /** The workflow of the deployment. */
    workflow_id: WorkflowId,
  }),
  target: ({ endpoint_id }) => endpoint_id,
  needs: (_data, { project_id, model_id, wanted_cluster_id }) =>
    deploymentNeeds({ project_id, model_id, cluster_id: wanted_cluster_id }),
  reserves: (_data, { name }) => ({ kind: 'endpoint', name }),
  decide: ({ endpoint_id, workflow_id }, state, context) => {
    const is_undone = (state.status === 'failed' || state.status === 'cancelled') && !state.holds_name;
    assertRetryable({ state, area: 'endpoint', is_undone }, workflow_id);
    const { project_id, model_id, name, replicas, wanted_cluster_id, deploy_config, resources_per_replica } = state;
    const asked = { endpoint_id, project_id, model_id, name, replicas, deploy_config, resources_per_replica };
    return deploymentRequested({ ...asked, cluster_id: wanted_cluster_id, retries: workflow_id }, context);
  },
});
