import { z } from 'zod';
import { releaseCapacity } from '../../commands/cluster/internal/release-capacity.ts';
import { cancelEndpointDeletion } from '../../commands/endpoint/internal/cancel-endpoint-deletion.ts';
import { failEndpointDeletion } from '../../commands/endpoint/internal/fail-endpoint-deletion.ts';
import { recordEndpointCleanupPending } from '../../commands/endpoint/internal/record-endpoint-cleanup-pending.ts';
import { recordEndpointDeleted } from '../../commands/endpoint/internal/record-endpoint-deleted.ts';
import type { Recorded } from '../../events/catalog.ts';
import { ClusterId, EndpointId, UserId, WorkflowId } from '../../events/ids.ts';
import { createDeletion, deletionState, REMOVE } from '../deletion.ts';
import { ask, call } from '../process.ts';
import { type RemovalKind, saysDeleted } from '../removal.ts';
import { reportTo, requesterOf } from '../workflow-intents.ts';

/** What is asked of the cluster service. */
const Request = z.object({ user_id: UserId, bud_cluster_id: z.string(), namespace: z.string() });
const Subject = z.object({
  workflow_id: WorkflowId,
  endpoint_id: EndpointId,
  /** The cluster on which the endpoint may hold capacity. */
  cluster_id: ClusterId.nullable(),
  /** Null where nothing is on a cluster, and where an earlier version stored the state. */
  request: Request.nullable().default(null),
});
type Subject = z.output<typeof Subject>;
type Request = z.output<typeof Request>;

const isRemoved = (event: Recorded): boolean => saysDeleted(event, 'delete_deployment', REMOVE);

const removalOf = (workflow_id: WorkflowId, { user_id, bud_cluster_id }: Request): RemovalKind => ({
  made_by: null,
  calls: { remove: 'cluster.delete-deployment', cancel: 'cluster.cancel-deployment', probe: 'cluster.health' },
  message_type: 'delete_deployment',
  remove: (namespace, give_up_at) => {
    const request = { cluster_id: bud_cluster_id, namespace, ...reportTo(workflow_id, user_id) };
    return call('cluster.delete-deployment', request, { give_up_at });
  },
  cancel: (service_workflow_id, give_up_at) =>
    call('cluster.cancel-deployment', { workflow_id: service_workflow_id }, { give_up_at }),
  probe: (give_up_at) => call('cluster.health', { cluster_id: bud_cluster_id }, { give_up_at }),
  thingIn: () => null,
  isRemoved,
});

/** Removes an endpoint from its cluster; capacity and name are released once the cluster confirms that nothing is left. */
export const endpointDeletion = createDeletion<Subject>({
  name: 'endpoint-deletion',
  state: Subject.extend(deletionState),
  startOf: (event) => {
    if (event.type !== 'EndpointDeletionRequested') return null;
    const { workflow_id, endpoint_id, project_id, name, placement, deadline, ends, cancellable } = event.data;
    const user_id = requesterOf(event);
    const { bud_cluster_id, namespace = null } = placement ?? {};
    const request = bud_cluster_id && namespace !== null ? { user_id, bud_cluster_id, namespace } : null;
    return {
      subject: { workflow_id, endpoint_id, cluster_id: placement?.cluster_id ?? null, request },
      workflow: {
        user_id,
        project_id,
        kind: 'endpoint-deletion',
        target: { area: 'endpoint', id: endpoint_id, name },
        deadline,
        cancellable: cancellable ?? false,
      },
      step_title: 'Remove the endpoint from the cluster',
      ends: Boolean(ends),
    };
  },
  change_ended: 'EndpointChangeEnded',
  deleted: 'EndpointDeleted',
  removalOf: ({ workflow_id, request }) =>
    request && { kind: removalOf(workflow_id, request), thing: request.namespace },
  recordDeleted: ({ endpoint_id, workflow_id, cluster_id }) => [
    ...(cluster_id === null ? [] : [ask(releaseCapacity, { cluster_id, endpoint_id, workflow_id })]),
    ask(recordEndpointDeleted, { endpoint_id, workflow_id }),
  ],
  recordPending: ({ endpoint_id, workflow_id }, pending) =>
    ask(recordEndpointCleanupPending, { endpoint_id, workflow_id, ...pending }),
  cancel: ({ endpoint_id, workflow_id }, reason) => ask(cancelEndpointDeletion, { endpoint_id, workflow_id, reason }),
  fail: ({ endpoint_id, workflow_id }, reason) => ask(failEndpointDeletion, { endpoint_id, workflow_id, reason }),
  isRemoved,
});
