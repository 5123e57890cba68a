import { notFound } from '../../errors.ts';
import type { EndpointFact } from '../../events/catalog.ts';
import { type ClusterId, type EndpointId, type ModelId, type ProjectId, WorkflowId } from '../../events/ids.ts';
import type { DeployConfig, Resources } from '../../events/values.ts';
import { cluster, findRoom } from '../cluster/cluster-state.ts';
import { type DecisionContext, type NeededStates, need } from '../command.ts';
import { deadlineAfter } from '../deadlines.ts';
import { assertActive, model, replicaResources } from '../model/model-state.ts';
import { project } from '../project/project-state.ts';

/** What a deployment is about, whether it is the endpoint's first or a further one. */
export interface DeploymentRequest {
  endpoint_id: EndpointId;
  project_id: ProjectId;
  model_id: ModelId;
  name: string;
  replicas: number;
  /** The only cluster allowed; null: the best one is chosen. */
  cluster_id: ClusterId | null;
  deploy_config: DeployConfig;
  /** Null: what the engine states that serves the model, else derived from its size. */
  resources_per_replica: Resources | null;
  /** The workflow that failed or was cancelled, and is tried again. */
  retries?: WorkflowId;
}

export const deploymentNeeds = ({
  project_id,
  model_id,
  cluster_id,
}: {
  project_id: ProjectId;
  model_id: ModelId;
  cluster_id?: ClusterId | null | undefined;
}) => ({
  project: need(project, project_id),
  model: need(model, model_id),
  cluster: need(cluster, cluster_id),
});

type Context = Pick<DecisionContext<unknown>, 'make' | 'now' | 'deadlines'> & {
  needs: NeededStates<ReturnType<typeof deploymentNeeds>>;
};

/** Throws `Rejected` where what the deployment needs does not exist, is not active, or has no room. */
export const deploymentRequested = (
  request: DeploymentRequest,
  { make, needs, now, deadlines }: Context,
): Extract<EndpointFact, { type: 'EndpointRequested' }> => {
  const { project_id, model_id, cluster_id, replicas } = request;
  if (!needs.project) throw notFound('project', project_id);
  if (!needs.model) throw notFound('model', model_id);
  if (cluster_id && !needs.cluster) throw notFound('cluster', cluster_id);
  assertActive(needs.model);
  const resources_per_replica = request.resources_per_replica ?? replicaResources(needs.model);
  if (needs.cluster) findRoom(needs.cluster, { replicas, each: resources_per_replica });
  return {
    type: 'EndpointRequested',
    data: {
      ...request,
      project_name: needs.project.name,
      model_name: needs.model.name,
      model_source: needs.model.origin,
      bud_cluster_id: needs.cluster?.bud_cluster_id ?? null,
      resources_per_replica,
      workflow_id: WorkflowId.parse(make('workflow')),
      deadline: deadlineAfter(now, deadlines.deployment),
    },
  };
};
