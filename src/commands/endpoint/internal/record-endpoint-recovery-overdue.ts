import { z } from 'zod';
import { EndpointId, WorkflowId } from '../../../events/ids.ts';
import { deadlineAfter } from '../../deadlines.ts';
import { endpointCommand } from '../endpoint-state.ts';

export const recordEndpointRecoveryOverdue = endpointCommand({
  type: 'RecordEndpointRecoveryOverdue',
  summary: 'Record that the recovery of an endpoint exceeded its deadline',
  permission: 'system',
  /** `workflow_id`: the recovery whose deadline has passed. */
  data: z.strictObject({ endpoint_id: EndpointId, workflow_id: WorkflowId }),
  target: ({ endpoint_id }) => endpoint_id,
  decide: (data, state, { make, now, deadlines }) => {
    // The endpoint has recovered, was changed or deleted, or another recovery has taken over.
    if (state.status !== 'degraded' || state.recovery?.workflow_id !== data.workflow_id) return [];
    const { observed, replicas, recovery } = state;
    const message = `The endpoint did not recover in time: ${observed.replicas.available} of ${replicas} replicas are available.`;
    return {
      type: 'EndpointRecoveryOverdue',
      data: {
        ...data,
        reason: { code: 'recovery-overdue', message },
        deadline: deadlineAfter(now, deadlines.degraded),
        recovery: { ...recovery, workflow_id: WorkflowId.parse(make('recovery')) },
      },
    };
  },
});
