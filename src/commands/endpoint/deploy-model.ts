import { z } from 'zod';
import { notFound } from '../../errors.ts';
import { ClusterId, EndpointId, ModelId, ProjectId, WorkflowId } from '../../events/ids.ts';
import { DeployConfig, EndpointName, ReplicaResources, Replicas } from '../../events/values.ts';
import { cluster, findRoom } from '../cluster/cluster-state.ts';
import { need } from '../command.ts';
import { deadlineAfter } from '../deadlines.ts';
import { assertActive, model, replicaResources } from '../model/model-state.ts';
import { project } from '../project/project-state.ts';
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
  needs: ({ project_id, model_id, cluster_id }) => ({
    project: need(project, project_id),
    model: need(model, model_id),
    cluster: need(cluster, cluster_id),
  }),
  reserves: ({ name }) => ({ kind: 'endpoint', name }),
  decide: (data, _state, { id, make, needs, now, deadlines }) => {
    const { project_id, model_id, name, replicas, cluster_id, deploy_config } = data;
    if (!needs.project) throw notFound('project', project_id);
    if (!needs.model) throw notFound('model', model_id);
    if (cluster_id && !needs.cluster) throw notFound('cluster', cluster_id);
    assertActive(needs.model);
    const resources_per_replica = data.resources_per_replica ?? replicaResources(needs.model);
    if (needs.cluster) findRoom(needs.cluster, { replicas, each: resources_per_replica });
    return {
      type: 'EndpointRequested',
      data: {
        endpoint_id: EndpointId.parse(id),
        project_id,
        project_name: needs.project.name,
        model_id,
        model_name: needs.model.name,
        model_source: needs.model.origin,
        name,
        cluster_id: cluster_id ?? null,
        bud_cluster_id: needs.cluster?.bud_cluster_id ?? null,
        replicas,
        resources_per_replica,
        deploy_config,
        workflow_id: WorkflowId.parse(make('workflow')),
        deadline: deadlineAfter(now, deadlines.deployment),
      },
    };
  },
});
