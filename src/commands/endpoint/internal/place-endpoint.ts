import { z } from 'zod';
import { rejected } from '../../../errors.ts';
import { ClusterId, EndpointId, ModelId, ProjectId, WorkflowId } from '../../../events/ids.ts';
import { Deadline, PlacementCandidate } from '../../../events/values.ts';
import { cluster } from '../../cluster/cluster-state.ts';
import { type NeededStates, need } from '../../command.ts';
import { model } from '../../model/model-state.ts';
import { project } from '../../project/project-state.ts';
import { type EndpointState, endpointCommand } from '../endpoint-state.ts';
import { assertStillExist } from '../still-exist.ts';

interface PlaceEndpointData {
  project_id: ProjectId;
  model_id: ModelId;
  cluster_id: ClusterId;
}

const needsOf = ({ project_id, model_id, cluster_id }: PlaceEndpointData) => ({
  project: need(project, project_id),
  model: need(model, model_id),
  cluster: need(cluster, cluster_id),
});

const availableCluster = (needs: NeededStates<ReturnType<typeof needsOf>>) => {
  if (needs.cluster?.status !== 'available') {
    throw rejected('cluster-not-available', 'The cluster is no longer available.');
  }
  return needs.cluster;
};

const isPlacedOn = (state: EndpointState, data: { workflow_id: WorkflowId; cluster_id: ClusterId }): boolean =>
  state.workflow_id === data.workflow_id && state.placement?.cluster_id === data.cluster_id;

export const placeEndpoint = endpointCommand({
  type: 'PlaceEndpoint',
  summary: 'Place an endpoint on a cluster',
  permission: 'system',
  data: z.strictObject({
    endpoint_id: EndpointId,
    workflow_id: WorkflowId,
    project_id: ProjectId,
    model_id: ModelId,
    cluster_id: ClusterId,
    simulator_id: z.string().min(1),
    candidates: z.array(PlacementCandidate),
    deadline: Deadline,
  }),
  target: ({ endpoint_id }) => endpoint_id,
  needs: needsOf,
  decide: (data, state, { needs }) => {
    const { endpoint_id, workflow_id, cluster_id, simulator_id, candidates, deadline } = data;
    if (isPlacedOn(state, data)) return [];
    if (state.status !== 'placing' || state.workflow_id !== workflow_id) {
      throw rejected(
        'endpoint-not-placing',
        `The endpoint is not being placed by this workflow: it is ${state.status}.`,
      );
    }
    assertStillExist(needs);
    const { name: cluster_name, bud_cluster_id } = availableCluster(needs);
    const chosen = candidates.find((candidate) => candidate.bud_cluster_id === bud_cluster_id);
    return {
      type: 'EndpointPlaced',
      data: {
        endpoint_id,
        workflow_id,
        cluster_id,
        cluster_name,
        bud_cluster_id,
        simulator_id,
        reasons: chosen?.reasons ?? [],
        candidates,
        deadline,
      },
    };
  },
});
