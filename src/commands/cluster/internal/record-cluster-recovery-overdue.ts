import { z } from 'zod';
import { ClusterId, WorkflowId } from '../../../events/ids.ts';
import { deadlineAfter } from '../../deadlines.ts';
import { clusterCommand } from '../cluster-state.ts';

export const recordClusterRecoveryOverdue = clusterCommand({
  type: 'RecordClusterRecoveryOverdue',
  summary: 'Record that the recovery of a cluster exceeded its deadline',
  permission: 'system',
  /** `workflow_id`: the recovery whose deadline has passed. */
  data: z.strictObject({ cluster_id: ClusterId, workflow_id: WorkflowId }),
  target: ({ cluster_id }) => cluster_id,
  decide: (data, state, { make, now, deadlines }) => {
    // The cluster is available again or deleted, or another recovery has taken over.
    if (state.status !== 'unavailable' || state.recovery?.workflow_id !== data.workflow_id) return [];
    return {
      type: 'ClusterRecoveryOverdue',
      data: {
        ...data,
        reason: { code: 'recovery-overdue', message: 'The cluster did not become available again in time.' },
        deadline: deadlineAfter(now, deadlines.degraded),
        recovery: { ...state.recovery, workflow_id: WorkflowId.parse(make('recovery')) },
      },
    };
  },
});
