import { z } from 'zod';
import { cancelClusterDeletion } from '../../commands/cluster/internal/cancel-cluster-deletion.ts';
import { failClusterDeletion } from '../../commands/cluster/internal/fail-cluster-deletion.ts';
import { recordClusterCleanupPending } from '../../commands/cluster/internal/record-cluster-cleanup-pending.ts';
import { recordClusterDeleted } from '../../commands/cluster/internal/record-cluster-deleted.ts';
import type { Recorded } from '../../events/catalog.ts';
import { ClusterType } from '../../events/cluster-events.ts';
import { ClusterId, UserId, WorkflowId } from '../../events/ids.ts';
import { createDeletion, deletionState, REMOVE } from '../deletion.ts';
import { ask, call } from '../process.ts';
import { type RemovalKind, saysDeleted } from '../removal.ts';
import { reportTo, requesterOf } from '../workflow-intents.ts';

/** What is asked of the cluster service. */
const Request = z.object({ user_id: UserId, bud_cluster_id: z.string(), cluster_type: ClusterType });
const Subject = z.object({
  workflow_id: WorkflowId,
  cluster_id: ClusterId,
  /** Null where the cluster service never registered it, and where an earlier version stored the state. */
  request: Request.nullable().default(null),
});
type Subject = z.output<typeof Subject>;
type Request = z.output<typeof Request>;

const isRemoved = (event: Recorded): boolean => saysDeleted(event, 'delete_cluster', REMOVE);

/** How a cluster is removed from the cluster service, in the name of a workflow. */
export const clusterRemoval = (
  workflow_id: WorkflowId,
  { user_id, cluster_type, probe_id }: { user_id: UserId; cluster_type: Request['cluster_type']; probe_id: string },
): Omit<RemovalKind, 'made_by' | 'thingIn' | 'message_type'> => ({
  calls: { remove: 'cluster.delete', cancel: 'cluster.cancel', probe: 'cluster.health' },
  remove: (cluster_id, give_up_at) =>
    call('cluster.delete', { cluster_id, cluster_type, ...reportTo(workflow_id, user_id) }, { give_up_at }),
  cancel: (service_workflow_id, give_up_at) =>
    call('cluster.cancel', { workflow_id: service_workflow_id }, { give_up_at }),
  probe: (give_up_at) => call('cluster.health', { cluster_id: probe_id }, { give_up_at }),
  isRemoved,
});

/** Removes a cluster from the cluster service. */
export const clusterDeletion = createDeletion<Subject>({
  name: 'cluster-deletion',
  state: Subject.extend(deletionState),
  startOf: (event) => {
    if (event.type !== 'ClusterDeletionRequested') return null;
    const { workflow_id, cluster_id, name, cluster_type, bud_cluster_id, deadline, ends, cancellable } = event.data;
    const user_id = requesterOf(event);
    return {
      subject: {
        workflow_id,
        cluster_id,
        request: bud_cluster_id === null ? null : { user_id, bud_cluster_id, cluster_type },
      },
      workflow: {
        user_id,
        project_id: null,
        kind: 'cluster-deletion',
        target: { area: 'cluster', id: cluster_id, name },
        deadline,
        cancellable: cancellable ?? false,
      },
      step_title: 'Remove the installed components from the cluster',
      ends: Boolean(ends),
    };
  },
  change_ended: 'ClusterRegistrationEnded',
  deleted: 'ClusterDeleted',
  removalOf: ({ workflow_id, request }) =>
    request && {
      thing: request.bud_cluster_id,
      kind: {
        ...clusterRemoval(workflow_id, { ...request, probe_id: request.bud_cluster_id }),
        made_by: null,
        message_type: 'delete_cluster',
        thingIn: () => null,
      },
    },
  recordDeleted: ({ cluster_id }) => [ask(recordClusterDeleted, { cluster_id })],
  recordPending: ({ cluster_id, workflow_id }, pending) =>
    ask(recordClusterCleanupPending, { cluster_id, workflow_id, ...pending }),
  cancel: ({ cluster_id, workflow_id }, reason) => ask(cancelClusterDeletion, { cluster_id, workflow_id, reason }),
  fail: ({ cluster_id }, reason) => ask(failClusterDeletion, { cluster_id, reason }),
  isRemoved,
});
