import { z } from 'zod';
import { ClusterId, WorkflowId } from '../../../events/ids.ts';
import { Reason } from '../../../events/values.ts';
import { deadlineAfter } from '../../deadlines.ts';
import { repairPauseSeconds } from '../../repair-pause.ts';
import { clusterCommand, isBeingReregistered } from '../cluster-state.ts';

export const failClusterReregistration = clusterCommand({
  type: 'FailClusterReregistration',
  summary: 'Record that a cluster could not be registered again',
  permission: 'system',
  data: z.strictObject({ cluster_id: ClusterId, workflow_id: WorkflowId, reason: Reason }),
  target: ({ cluster_id }) => cluster_id,
  decide: (data, state, { now }) => {
    if (!isBeingReregistered(state, data.workflow_id)) return [];
    const retry_at = deadlineAfter(now, repairPauseSeconds(state.reregistration.attempt));
    return { type: 'ClusterReregistrationFailed', data: { ...data, retry_at } };
  },
});
