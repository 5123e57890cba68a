import { z } from 'zod';
import { rejected } from '../../../errors.ts';
import { ClusterId, WorkflowId } from '../../../events/ids.ts';
import { ClusterNode } from '../../../events/values.ts';
import { clusterCommand, isBeingReregistered } from '../cluster-state.ts';
import { endOfRecovery } from '../recovery.ts';

export const recordClusterReregistered = clusterCommand({
  type: 'RecordClusterReregistered',
  summary: 'Record that a cluster is registered again',
  permission: 'system',
  data: z.strictObject({
    cluster_id: ClusterId,
    workflow_id: WorkflowId,
    bud_cluster_id: z.string().min(1),
    nodes: z.array(ClusterNode),
  }),
  target: ({ cluster_id }) => cluster_id,
  decide: (data, state) => {
    // What was registered in vain is taken back: the cluster is deleted, or the service knows it after all.
    if (!isBeingReregistered(state, data.workflow_id)) {
      throw rejected(
        'reregistration-superseded',
        `The cluster is not registered again by this workflow: it is ${state.status}.`,
      );
    }
    const { cluster_id, nodes } = data;
    return [
      { type: 'ClusterReregistered', data },
      { type: 'ClusterBecameAvailable', data: { cluster_id, nodes, ...endOfRecovery(state) } },
    ];
  },
});
