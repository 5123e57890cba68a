import { z } from 'zod';
import { rejected } from '../../errors.ts';
import { EndpointId, WorkflowId } from '../../events/ids.ts';
import { deadlineAfter } from '../deadlines.ts';
import { type EndpointState, endpointCommand } from './endpoint-state.ts';
import { endOfRecovery } from './recovery.ts';

const assertIdle = ({ status, workflow_id }: EndpointState): void => {
  if (status === 'deleting') throw rejected('endpoint-deleting', 'The endpoint is being deleted already.');
  if (status === 'pending' || status === 'placing' || status === 'deploying' || status === 'updating') {
    throw rejected('endpoint-busy', `The endpoint is ${status}.`, {
      hint: `Wait, or cancel the workflow ${workflow_id} first.`,
    });
  }
};

export const deleteEndpoint = endpointCommand({
  type: 'DeleteEndpoint',
  summary: 'Delete an endpoint',
  permission: 'endpoint:manage',
  data: z.strictObject({ endpoint_id: EndpointId }),
  target: ({ endpoint_id }) => endpoint_id,
  decide: ({ endpoint_id }, state, { make, now, deadlines }) => {
    assertIdle(state);
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
      },
    };
  },
});
