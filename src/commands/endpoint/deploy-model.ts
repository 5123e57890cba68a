import { z } from 'zod';
import { ClusterId, EndpointId, ModelId, ProjectId } from '../../events/ids.ts';
import { DeployConfig, EndpointName, ReplicaResources, Replicas } from '../../events/values.ts';
import { deploymentNeeds, deploymentRequested } from './deployment-request.ts';
import { endpointCreation } from './endpoint-state.ts';

export const deployModel = endpointCreation({
  type: 'DeployModel',
  summary: 'Deploy a model as a new endpoint',
  permission: 'endpoint:manage',
  data: z.strictObject({
    project_id: ProjectId,
    model_id: ModelId,
    name: EndpointName,
    replicas: Replicas.default(1),
    /** The cluster to deploy to; default: the best one is chosen. */
    cluster_id: ClusterId.optional(),
    deploy_config: DeployConfig.prefault({}),
    /** Default: what the engine states that serves the model, else derived from its size. */
    resources_per_replica: ReplicaResources.optional(),
  }),
  target: (_data, make) => make('endpoint'),
  project: ({ project_id }) => project_id,
  needs: deploymentNeeds,
  reserves: ({ name }) => ({ kind: 'endpoint', name }),
  decide: ({ cluster_id = null, resources_per_replica = null, ...data }, _state, { id, ...context }) =>
    deploymentRequested({ endpoint_id: EndpointId.parse(id), ...data, cluster_id, resources_per_replica }, context),
});
