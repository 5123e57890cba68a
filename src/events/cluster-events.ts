import { z } from 'zod';
import { event } from './event.ts';
import { ClusterId, EndpointId, UserId, WorkflowId } from './ids.ts';
import { Sealed } from './sealed.ts';
import { Balance, ClusterNode, Deadline, Reason, Resources } from './values.ts';

export const ClusterType = z.enum(['ON_PREM', 'CLOUD']);

/**
 * Written for the release before this one only, whose processes follow a recovery by it: see ADR 13. New code learns the
 * same from the cluster's other facts.
 */
const ClusterRecovery = z.object({
  workflow_id: WorkflowId,
  /** Who registered the cluster. */
  user_id: UserId,
  name: z.string(),
  bud_cluster_id: z.string(),
});
export type ClusterRecovery = z.output<typeof ClusterRecovery>;

/** The recovery that is over with this, for the release before this one; absent where none went on. */
const recovery_id = WorkflowId.optional();

export const ClusterRegistrationRequested = event(
  'ClusterRegistrationRequested',
  z.object({
    cluster_id: ClusterId,
    name: z.string(),
    cluster_type: ClusterType,
    ingress_url: z.string(),
    /** The kubeconfig, sealed under the cluster's own id. */
    configuration: Sealed,
    workflow_id: WorkflowId,
    deadline: Deadline,
    /** The workflow that failed or was cancelled, and is tried again with this. */
    retries: WorkflowId.optional(),
  }),
);
export const ClusterRegistered = event(
  'ClusterRegistered',
  z.object({
    cluster_id: ClusterId,
    workflow_id: WorkflowId,
    /** The cluster service's id of the cluster. */
    bud_cluster_id: z.string(),
    nodes: z.array(ClusterNode),
  }),
);
export const ClusterRegistrationFailed = event(
  'ClusterRegistrationFailed',
  z.object({ cluster_id: ClusterId, reason: Reason }),
);
export const ClusterRenamed = event(
  'ClusterRenamed',
  z.object({ cluster_id: ClusterId, name: z.string(), previous_name: z.string() }),
);
export const ClusterIngressChanged = event(
  'ClusterIngressChanged',
  z.object({ cluster_id: ClusterId, ingress_url: z.string() }),
);
export const ClusterBecameAvailable = event(
  'ClusterBecameAvailable',
  z.object({ cluster_id: ClusterId, nodes: z.array(ClusterNode), recovery_id }),
);
export const ClusterBecameUnavailable = event(
  'ClusterBecameUnavailable',
  z.object({
    cluster_id: ClusterId,
    reason: Reason,
    deadline: Deadline,
    recovery: ClusterRecovery.optional(),
  }),
);
/** The deadline of the recovery has passed. The cluster stays unavailable, and another recovery looks after it. */
export const ClusterRecoveryOverdue = event(
  'ClusterRecoveryOverdue',
  z.object({
    cluster_id: ClusterId,
    /** The recovery whose deadline has passed, for the release before this one. */
    workflow_id: WorkflowId.optional(),
    reason: Reason,
    deadline: Deadline,
    recovery: ClusterRecovery.optional(),
  }),
);
/** The cluster service has forgotten the cluster: it is registered there again, under another id of theirs. */
export const ClusterReregistrationRequested = event(
  'ClusterReregistrationRequested',
  z.object({
    cluster_id: ClusterId,
    workflow_id: WorkflowId,
    /** The user who registered the cluster. */
    user_id: UserId,
    name: z.string(),
    cluster_type: ClusterType,
    ingress_url: z.string(),
    /** The kubeconfig, sealed under the cluster's own id. */
    configuration: Sealed,
    /** 1 for the first since the cluster was last available. */
    attempt: z.int().min(1),
    reason: Reason,
    deadline: Deadline,
  }),
);
export const ClusterReregistered = event(
  'ClusterReregistered',
  z.object({
    cluster_id: ClusterId,
    workflow_id: WorkflowId,
    /** The cluster service's id of the cluster from now on. */
    bud_cluster_id: z.string(),
    nodes: z.array(ClusterNode),
  }),
);
/** The cluster stays unavailable; it is not registered again before `retry_at`. */
export const ClusterReregistrationFailed = event(
  'ClusterReregistrationFailed',
  z.object({ cluster_id: ClusterId, workflow_id: WorkflowId, reason: Reason, retry_at: Deadline }),
);
export const ClusterNodesChanged = event(
  'ClusterNodesChanged',
  z.object({ cluster_id: ClusterId, nodes: z.array(ClusterNode) }),
);
/** The endpoint's whole reservation on the cluster; a later event replaces it. */
export const CapacityReserved = event(
  'CapacityReserved',
  z.object({
    cluster_id: ClusterId,
    endpoint_id: EndpointId,
    workflow_id: WorkflowId,
    replicas: z.int().min(0),
    /** All replicas together. */
    resources: Resources,
    /** What was free for the endpoint then, its own earlier reservation included; absent where it only gave some back. */
    free: Balance.optional(),
  }),
);
export const CapacityReleased = event(
  'CapacityReleased',
  z.object({ cluster_id: ClusterId, endpoint_id: EndpointId, workflow_id: WorkflowId }),
);
export const ClusterDeletionRequested = event(
  'ClusterDeletionRequested',
  z.object({
    cluster_id: ClusterId,
    workflow_id: WorkflowId,
    name: z.string(),
    cluster_type: ClusterType,
    /** Null where the cluster service never registered the cluster. */
    bud_cluster_id: z.string().nullable(),
    deadline: Deadline,
    recovery_id,
    /** The workflow of the registration that was under way: it ends first. */
    ends: WorkflowId.nullable().optional(),
    /** Whether it goes on as before where the deletion is cancelled before anything is removed. */
    cancellable: z.boolean().optional(),
  }),
);
/** The registration that a deletion has ended is over; the deletion goes on. */
export const ClusterRegistrationEnded = event(
  'ClusterRegistrationEnded',
  z.object({
    cluster_id: ClusterId,
    /** The deletion. */
    workflow_id: WorkflowId,
    ended_workflow_id: WorkflowId,
  }),
);
/** The deletion was cancelled before the cluster service was asked: the cluster is as before. */
export const ClusterDeletionCancelled = event(
  'ClusterDeletionCancelled',
  z.object({ cluster_id: ClusterId, workflow_id: WorkflowId, reason: Reason }),
);
/** The cluster service may still have the cluster after the time for removing it; it is asked again by `deadline`. */
export const ClusterCleanupPending = event(
  'ClusterCleanupPending',
  z.object({ cluster_id: ClusterId, workflow_id: WorkflowId, reason: Reason, deadline: Deadline }),
);
export const ClusterDeletionFailed = event(
  'ClusterDeletionFailed',
  z.object({ cluster_id: ClusterId, reason: Reason }),
);
export const ClusterDeleted = event(
  'ClusterDeleted',
  z.object({ cluster_id: ClusterId, workflow_id: WorkflowId, name: z.string() }),
);

export const clusterEvents = [
  ClusterRegistrationRequested,
  ClusterRegistered,
  ClusterRegistrationFailed,
  ClusterRenamed,
  ClusterIngressChanged,
  ClusterBecameAvailable,
  ClusterBecameUnavailable,
  ClusterRecoveryOverdue,
  ClusterReregistrationRequested,
  ClusterReregistered,
  ClusterReregistrationFailed,
  ClusterNodesChanged,
  CapacityReserved,
  CapacityReleased,
  ClusterDeletionRequested,
  ClusterRegistrationEnded,
  ClusterDeletionCancelled,
  ClusterCleanupPending,
  ClusterDeletionFailed,
  ClusterDeleted,
] as const;
