import { z } from 'zod';
import { ClusterId, WorkflowId } from '../../../events/ids.ts';
import { Reason } from '../../../events/values.ts';
import { clusterCommand } from '../cluster-state.ts';

export const failClusterRegistration = clusterCommand({
  type: 'FailClusterRegistration',
  summary: 'Fail the registration of a cluster and release its name',
  permission: 'system',
  data: z.strictObject({
    cluster_id: ClusterId,
    reason: Reason,
    /** The registration; absent where an earlier version asked. */
    workflow_id: WorkflowId.optional(),
  }),
  target: ({ cluster_id }) => cluster_id,
  decide: ({ cluster_id, reason, workflow_id: by }, state) => {
    const { status, workflow_id } = state;
    if (status === 'deleting' && state.removes === 'cluster') {
      if (!by || state.ends !== by) return [];
      return { type: 'ClusterRegistrationEnded', data: { cluster_id, workflow_id, ended_workflow_id: by } };
    }
    if (status !== 'registering' && status !== 'deleting') return [];
    return { type: 'ClusterRegistrationFailed', data: { cluster_id, reason } };
  },
});
