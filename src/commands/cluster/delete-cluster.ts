import { z } from 'zod';
import { rejected } from '../../errors.ts';
import { ClusterId, WorkflowId } from '../../events/ids.ts';
import { deadlineAfter } from '../deadlines.ts';
import { clusterCommand, isRegistered } from './cluster-state.ts';
import { endOfRecovery } from './recovery.ts';
import { listReservations } from './reservations.ts';

export const deleteCluster = clusterCommand({
  type: 'DeleteCluster',
  summary: 'Delete a cluster without live endpoints',
  permission: 'cluster:manage',
  data: z.strictObject({ cluster_id: ClusterId }),
  target: ({ cluster_id }) => cluster_id,
  refusedWhileInUse: 'cluster',
  decide: ({ cluster_id }, state, { make, now, deadlines }) => {
    const { status, name, cluster_type, bud_cluster_id, reservations, workflow_id } = state;
    if (state.status === 'deleting' && state.removes === 'cluster') {
      throw rejected('cluster-deleting', 'The cluster is being deleted already.');
    }
    const endpoints = Object.keys(listReservations(reservations)).toSorted();
    if (endpoints.length > 0) {
      throw rejected('cluster-in-use', 'Endpoints hold capacity of the cluster.', {
        hint: 'Delete these endpoints first.',
        extra: { endpoints: endpoints.map((id) => ({ id })) },
      });
    }
    return {
      type: 'ClusterDeletionRequested',
      data: {
        cluster_id,
        workflow_id: WorkflowId.parse(make('workflow')),
        name,
        cluster_type,
        bud_cluster_id,
        deadline: deadlineAfter(now, deadlines.deletion),
        ...endOfRecovery(state),
        // A registration under way ends first, and so does the removal of what it left.
        ends: status === 'registering' || status === 'deleting' ? workflow_id : null,
        cancellable: isRegistered(state),
      },
    };
  },
});
