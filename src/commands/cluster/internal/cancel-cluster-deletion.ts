import { z } from 'zod';
import type { ClusterFact } from '../../../events/catalog.ts';
import { ClusterId, WorkflowId } from '../../../events/ids.ts';
import { Reason } from '../../../events/values.ts';
import { deadlineAfter } from '../../deadlines.ts';
import { clusterCommand } from '../cluster-state.ts';
import { recoveryOf } from '../recovery.ts';

export const cancelClusterDeletion = clusterCommand({
  type: 'CancelClusterDeletion',
  summary: 'Cancel the deletion of a cluster of which nothing was removed yet',
  permission: 'system',
  data: z.strictObject({ cluster_id: ClusterId, workflow_id: WorkflowId, reason: Reason }),
  target: ({ cluster_id }) => cluster_id,
  decide: (data, state, { make, now, deadlines }): ClusterFact[] => {
    if (state.status !== 'deleting' || state.workflow_id !== data.workflow_id || state.before === null) return [];
    const cancelled = { type: 'ClusterDeletionCancelled', data } as const;
    if (state.before === 'available') return [cancelled];
    // As it was. Its recovery ended with the request, and begins anew.
    const { cluster_id } = data;
    const message = 'The cluster was unavailable when its deletion was requested. It is being checked again.';
    const deadline = deadlineAfter(now, deadlines.degraded);
    const recovery = recoveryOf(state, WorkflowId.parse(make('recovery')));
    const reason = { code: 'cluster-unreachable', message };
    return [cancelled, { type: 'ClusterBecameUnavailable', data: { cluster_id, reason, deadline, ...recovery } }];
  },
});
