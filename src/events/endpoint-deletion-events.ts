import { z } from 'zod';
import { event } from './event.ts';
import { ClusterId, EndpointId, ProjectId, WorkflowId } from './ids.ts';
import { Deadline, Reason } from './values.ts';

export const EndpointDeletionRequested = event(
  'EndpointDeletionRequested',
  z.object({
    endpoint_id: EndpointId,
    workflow_id: WorkflowId,
    project_id: ProjectId,
    name: z.string(),
    /** Null where nothing was ever deployed on a cluster. */
    placement: z
      .object({ cluster_id: ClusterId, bud_cluster_id: z.string(), namespace: z.string().nullable() })
      .nullable(),
    deadline: Deadline,
    /** The recovery that is over with this, for the release before this one; absent where none went on. */
    recovery_id: WorkflowId.optional(),
    /** The workflow of the deployment or scaling that was under way: it ends first. */
    ends: WorkflowId.nullable().optional(),
    /** Whether it goes on as before where the deletion is cancelled before anything is removed. */
    cancellable: z.boolean().optional(),
  }),
);
/** The deployment or scaling that a deletion has ended is over; the deletion goes on. */
export const EndpointChangeEnded = event(
  'EndpointChangeEnded',
  z.object({
    endpoint_id: EndpointId,
    /** The deletion. */
    workflow_id: WorkflowId,
    ended_workflow_id: WorkflowId,
  }),
);
/** The deletion was cancelled before the cluster was asked: the endpoint runs as before. */
export const EndpointDeletionCancelled = event(
  'EndpointDeletionCancelled',
  z.object({ endpoint_id: EndpointId, workflow_id: WorkflowId, reason: Reason }),
);
/**
 * Something may be left on the cluster after the time for removing it, and the removal is tried again by `deadline`. Name
 * and capacity stay reserved until the cluster confirms.
 */
export const EndpointCleanupPending = event(
  'EndpointCleanupPending',
  z.object({ endpoint_id: EndpointId, workflow_id: WorkflowId, reason: Reason, deadline: Deadline }),
);
export const EndpointDeletionFailed = event(
  'EndpointDeletionFailed',
  z.object({ endpoint_id: EndpointId, workflow_id: WorkflowId, reason: Reason }),
);
export const EndpointDeleted = event(
  'EndpointDeleted',
  z.object({ endpoint_id: EndpointId, workflow_id: WorkflowId, name: z.string() }),
);

export const endpointDeletionEvents = [
  EndpointDeletionRequested,
  EndpointChangeEnded,
  EndpointDeletionCancelled,
  EndpointCleanupPending,
  EndpointDeletionFailed,
  EndpointDeleted,
] as const;
