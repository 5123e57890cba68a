import { z } from 'zod';
import { ClusterId } from '../../../events/ids.ts';
import { Reason } from '../../../events/values.ts';
import { clusterCommand } from '../cluster-state.ts';

export const failClusterDeletion = clusterCommand({
  type: 'FailClusterDeletion',
  summary: 'Fail the deletion of a cluster',
  permission: 'system',
  data: z.strictObject({ cluster_id: ClusterId, reason: Reason }),
  target: ({ cluster_id }) => cluster_id,
  decide: ({ cluster_id, reason }, { status }) =>
    status === 'deleting' ? { type: 'ClusterDeletionFailed', data: { cluster_id, reason } } : [],
});
