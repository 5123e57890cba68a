import { z } from 'zod';
import { ClusterId } from '../../../events/ids.ts';
import { clusterCommand } from '../cluster-state.ts';

export const recordClusterDeleted = clusterCommand({
  type: 'RecordClusterDeleted',
  summary: 'Record that a cluster is deleted',
  permission: 'system',
  data: z.strictObject({ cluster_id: ClusterId }),
  target: ({ cluster_id }) => cluster_id,
  decide: ({ cluster_id }, { status, workflow_id, name }) =>
    status === 'deleting' ? { type: 'ClusterDeleted', data: { cluster_id, workflow_id, name } } : [],
});
