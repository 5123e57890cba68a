import { z } from 'zod';
import { ClusterId, WorkflowId } from '../../../events/ids.ts';
import { Deadline } from '../../../events/values.ts';
import { deadlineAfter } from '../../deadlines.ts';
import { clusterCommand } from '../cluster-state.ts';

export const recordClusterRecoveryOverdue = clusterCommand({
  type: 'RecordClusterRecoveryOverdue',
  summary: 'Record that the recovery of a cluster exceeded its deadline',
  permission: 'system',
  data: z.strictObject({
    cluster_id: ClusterId,
    /** The one that has passed. */
    deadline: Deadline.optional(),
    /** In place of it, as an earlier version asked, and stored: the recovery whose deadline has passed. */
    workflow_id: WorkflowId.optional(),
  }),
  target: ({ cluster_id }) => cluster_id,
  decide: ({ cluster_id, deadline, workflow_id }, state, { make, now, deadlines }) => {
    // The cluster is available again or deleted, or has a later deadline.
    if (state.status !== 'unavailable') return [];
    const { recovery } = state;
    const isCurrent = deadline ? deadline === state.deadline : workflow_id && workflow_id === recovery?.workflow_id;
    if (!isCurrent) return [];
    return {
      type: 'ClusterRecoveryOverdue',
      data: {
        cluster_id,
        reason: { code: 'recovery-overdue', message: 'The cluster did not become available again in time.' },
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
