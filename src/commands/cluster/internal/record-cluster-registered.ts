import { z } from 'zod';
import { rejected } from '../../../errors.ts';
import { ClusterId } from '../../../events/ids.ts';
import { ClusterNode } from '../../../events/values.ts';
import { clusterCommand, isRegistered } from '../cluster-state.ts';

export const recordClusterRegistered = clusterCommand({
  type: 'RecordClusterRegistered',
  summary: 'Record that a cluster is registered',
  permission: 'system',
  data: z.strictObject({ cluster_id: ClusterId, bud_cluster_id: z.string().min(1), nodes: z.array(ClusterNode) }),
  target: ({ cluster_id }) => cluster_id,
  decide: ({ cluster_id, bud_cluster_id, nodes }, state) => {
    if (isRegistered(state) && state.bud_cluster_id === bud_cluster_id) return [];
    if (state.status !== 'registering') {
      throw rejected('cluster-not-registering', `The cluster is not being registered: it is ${state.status}.`);
    }
    return { type: 'ClusterRegistered', data: { cluster_id, workflow_id: state.workflow_id, bud_cluster_id, nodes } };
  },
});
