import { z } from 'zod';
import { EndpointId, WorkflowId } from '../../../events/ids.ts';
import { Deadline } from '../../../events/values.ts';
import { deadlineAfter } from '../../deadlines.ts';
import { endpointCommand } from '../endpoint-state.ts';

export const recordEndpointRecoveryOverdue = endpointCommand({
  type: 'RecordEndpointRecoveryOverdue',
  summary: 'Record that the recovery of an endpoint exceeded its deadline',
  permission: 'system',
  data: z.strictObject({
    endpoint_id: EndpointId,
    /** The one that has passed. */
    deadline: Deadline.optional(),
    /** In place of it, as an earlier version asked, and stored: the recovery whose deadline has passed. */
    workflow_id: WorkflowId.optional(),
  }),
  target: ({ endpoint_id }) => endpoint_id,
  decide: ({ endpoint_id, deadline, workflow_id }, state, { make, now, deadlines }) => {
    // The endpoint has recovered, was changed or deleted, or has a later deadline.
    if (state.status !== 'degraded') return [];
    const { observed, replicas, recovery } = state;
    const isCurrent = deadline ? deadline === state.deadline : workflow_id && workflow_id === recovery?.workflow_id;
    if (!isCurrent) return [];
    const message = `The endpoint did not recover in time: ${observed.replicas.available} of ${replicas} replicas are available.`;
    return {
      type: 'EndpointRecoveryOverdue',
      data: {
        endpoint_id,
        reason: { code: 'recovery-overdue', message },
        deadline: deadlineAfter(now, deadlines.degraded),
        // For older code: see `recovery.ts`.
        ...(recovery && {
          workflow_id: recovery.workflow_id,
          recovery: { ...recovery, workflow_id: WorkflowId.parse(make('recovery')) },
        }),
      },
    };
  },
});
