import { z } from 'zod';
import { ClusterId, WorkflowId } from '../../../events/ids.ts';
import { Deadline, Reason } from '../../../events/values.ts';
import { clusterCommand } from '../cluster-state.ts';

export const recordClusterCleanupPending = clusterCommand({
  type: 'RecordClusterCleanupPending',
  summary: 'Record that the cluster service may still have a cluster',
  permission: 'system',
  data: z.strictObject({ cluster_id: ClusterId, workflow_id: WorkflowId, reason: Reason, deadline: Deadline }),
  target: ({ cluster_id }) => cluster_id,
  // A registration that a deletion has ended is shown as that deletion, with the deletion's own deadline.
  decide: (data, { status, workflow_id }) => {
    const isUnderWay = status === 'registering' || status === 'deleting';
    return isUnderWay && workflow_id === data.workflow_id ? { type: 'ClusterCleanupPending', data } : [];
  },
});
