import { z } from 'zod';
import { endpointDeletionEvents } from './endpoint-deletion-events.ts';
import { endpointRepairEvents } from './endpoint-repair-events.ts';
import { ModelOrigin, observed } from './endpoint-values.ts';
import { event } from './event.ts';
import { ClusterId, EndpointId, ModelId, ProjectId, UserId, WorkflowId } from './ids.ts';
import { Deadline, DeployConfig, PlacementCandidate, Reason, Resources } from './values.ts';

/**
 * Written for the release before this one only, whose processes follow a recovery by it: see ADR 13. New code learns the
 * same from the endpoint's other facts.
 */
const Recovery = z.object({
  workflow_id: WorkflowId,
  project_id: ProjectId,
  /** Who deployed the endpoint. */
  user_id: UserId,
  name: z.string(),
  bud_cluster_id: z.string(),
  namespace: z.string(),
  /** The code of the reason why the endpoint became degraded. */
  cause: z.string(),
});
export type Recovery = z.output<typeof Recovery>;

/** The recovery that is over with this, for the release before this one; absent where none went on. */
const recovery_id = WorkflowId.optional();

export const EndpointRequested = event(
  'EndpointRequested',
  z.object({
    endpoint_id: EndpointId,
    project_id: ProjectId,
    project_name: z.string(),
    model_id: ModelId,
    model_name: z.string(),
    model_source: ModelOrigin,
    name: z.string(),
    /** The only cluster allowed; null where the request names none. */
    cluster_id: ClusterId.nullable(),
    /** The cluster service's id of that cluster. */
    bud_cluster_id: z.string().nullable(),
    replicas: z.int().min(1),
    resources_per_replica: Resources,
    deploy_config: DeployConfig,
    workflow_id: WorkflowId,
    deadline: Deadline,
    /** The workflow that failed or was cancelled, and is tried again with this. */
    retries: WorkflowId.optional(),
  }),
);
export const EndpointPlacementStarted = event(
  'EndpointPlacementStarted',
  z.object({ endpoint_id: EndpointId, workflow_id: WorkflowId, deadline: Deadline }),
);
/** A cluster is chosen and the capacity is reserved; the deployment starts. */
export const EndpointPlaced = event(
  'EndpointPlaced',
  z.object({
    endpoint_id: EndpointId,
    workflow_id: WorkflowId,
    cluster_id: ClusterId,
    cluster_name: z.string(),
    bud_cluster_id: z.string(),
    /** The simulator's id of the run that chose this cluster; the cluster service passes it to the simulator. */
    simulator_id: z.string(),
    reasons: z.array(z.string()),
    candidates: z.array(PlacementCandidate),
    deadline: Deadline,
  }),
);
export const EndpointDeployed = event(
  'EndpointDeployed',
  z.object({
    endpoint_id: EndpointId,
    workflow_id: WorkflowId,
    url: z.string(),
    /** The cluster service's handle for everything that it created for the endpoint. */
    namespace: z.string(),
    supported_endpoints: z.array(z.string()),
    ...observed,
  }),
);
/** The cluster's report changed the numbers, not the status. */
export const EndpointReplicasReported = event(
  'EndpointReplicasReported',
  z.object({ endpoint_id: EndpointId, ...observed }),
);
export const EndpointDegraded = event(
  'EndpointDegraded',
  z.object({
    endpoint_id: EndpointId,
    ...observed,
    reason: Reason,
    deadline: Deadline,
    recovery: Recovery.optional(),
  }),
);
/** The deadline of the recovery has passed. The endpoint stays degraded, and another recovery looks after it. */
export const EndpointRecoveryOverdue = event(
  'EndpointRecoveryOverdue',
  z.object({
    endpoint_id: EndpointId,
    /** The recovery whose deadline has passed, for the release before this one. */
    workflow_id: WorkflowId.optional(),
    reason: Reason,
    deadline: Deadline,
    recovery: Recovery.optional(),
  }),
);
export const EndpointRecovered = event(
  'EndpointRecovered',
  z.object({ endpoint_id: EndpointId, ...observed, recovery_id }),
);
/**
 * Nothing has been heard of the endpoint for longer than a report may be old. What it was last seen as stays, with its
 * age; the next report says what it is.
 */
export const EndpointBecameUnknown = event(
  'EndpointBecameUnknown',
  z.object({
    endpoint_id: EndpointId,
    reason: Reason,
    /** When the cluster service last proved what it says of the endpoint; null where that is not known. */
    last_proof_at: z.iso.datetime().nullable(),
    deadline: Deadline,
    recovery_id,
  }),
);
/** The deadline of the unknown endpoint has passed without a report. It stays unknown, with a later deadline. */
export const EndpointReportOverdue = event(
  'EndpointReportOverdue',
  z.object({ endpoint_id: EndpointId, reason: Reason, deadline: Deadline }),
);
export const EndpointScalingRequested = event(
  'EndpointScalingRequested',
  z.object({
    endpoint_id: EndpointId,
    workflow_id: WorkflowId,
    project_id: ProjectId,
    name: z.string(),
    model_source: ModelOrigin,
    deploy_config: DeployConfig,
    resources_per_replica: Resources,
    cluster_id: ClusterId,
    bud_cluster_id: z.string(),
    simulator_id: z.string(),
    namespace: z.string(),
    /** 0: the endpoint is to be stopped. */
    replicas: z.int().min(0),
    /** 0: it was stopped. */
    previous_replicas: z.int().min(0),
    deadline: Deadline,
    recovery_id,
  }),
);
export const EndpointScaled = event(
  'EndpointScaled',
  z.object({ endpoint_id: EndpointId, workflow_id: WorkflowId, ...observed }),
);
/** Scaling has failed or was cancelled; the endpoint continues with the replicas that there are. */
export const EndpointScalingFailed = event(
  'EndpointScalingFailed',
  z.object({
    endpoint_id: EndpointId,
    workflow_id: WorkflowId,
    /** The desired number of replicas from now on: as before the scaling, or what could not be taken back. */
    replicas: z.int().min(0),
    reason: Reason,
    /** What the cluster has after that; absent where an earlier version did not ask. */
    observed: z.object(observed).optional(),
  }),
);
/** The deployment has failed and was rolled back: name and capacity are free, and nothing is left on the cluster. */
export const EndpointFailed = event(
  'EndpointFailed',
  z.object({ endpoint_id: EndpointId, workflow_id: WorkflowId.nullable(), name: z.string(), reason: Reason }),
);
export const EndpointCancelled = event(
  'EndpointCancelled',
  z.object({ endpoint_id: EndpointId, workflow_id: WorkflowId, name: z.string(), reason: Reason }),
);
export const endpointEvents = [
  EndpointRequested,
  EndpointPlacementStarted,
  EndpointPlaced,
  EndpointDeployed,
  EndpointReplicasReported,
  EndpointDegraded,
  EndpointRecoveryOverdue,
  EndpointRecovered,
  EndpointBecameUnknown,
  EndpointReportOverdue,
  EndpointScalingRequested,
  EndpointScaled,
  EndpointScalingFailed,
  EndpointFailed,
  EndpointCancelled,
  ...endpointRepairEvents,
  ...endpointDeletionEvents,
] as const;
