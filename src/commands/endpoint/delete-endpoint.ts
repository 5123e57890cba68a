import { z } from 'zod';
import { rejected } from '../../errors.ts';
import { EndpointId, WorkflowId } from '../../events/ids.ts';
import { deadlineAfter } from '../deadlines.ts';
import { type EndpointState, endpointCommand, isBeingDeployed, isSettled } from './endpoint-state.ts';
import { endOfRecovery } from './recovery.ts';

/** The deployment or scaling under way, which the deletion ends; null where there is none. */
const changeOf = (state: EndpointState): WorkflowId | null => {
  const isChanging = isBeingDeployed(state) || state.status === 'updating' || state.status === 'deleting';
  return isChanging ? state.workflow_id : null;
};

export const deleteEndpoint = endpointCommand({
  type: 'DeleteEndpoint',
  summary: 'Delete an endpoint',
  permission: 'endpoint:manage',
  data: z.strictObject({ endpoint_id: EndpointId }),
  target: ({ endpoint_id }) => endpoint_id,
  decide: ({ endpoint_id }, state, { make, now, deadlines }) => {
    if (state.status === 'deleting' && state.removes === 'endpoint') {
      throw rejected('endpoint-deleting', 'The endpoint is being deleted already.');
    }
    const { project_id, name, placement, namespace } = state;
    return {
      type: 'EndpointDeletionRequested',
      data: {
        endpoint_id,
        workflow_id: WorkflowId.parse(make('workflow')),
        project_id,
        name,
        placement: placement && {
          cluster_id: placement.cluster_id,
          bud_cluster_id: placement.bud_cluster_id,
          namespace,
        },
        deadline: deadlineAfter(now, deadlines.deletion),
        ...endOfRecovery(state),
        ends: changeOf(state),
        cancellable: isSettled(state),
      },
    };
  },
});
