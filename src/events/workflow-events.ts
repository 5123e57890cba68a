import { z } from 'zod';
import { event } from './event.ts';
import { ProjectId, UserId, WorkflowId } from './ids.ts';
import { Deadline, Reason } from './values.ts';

export const WorkflowKind = z.enum([
  'model-onboarding',
  'endpoint-deployment',
  'endpoint-scaling',
  'endpoint-deletion',
  'endpoint-recovery',
  'endpoint-repair',
  'cluster-onboarding',
  'cluster-deletion',
  'cluster-recovery',
  'cluster-reregistration',
]);
export type WorkflowKind = z.output<typeof WorkflowKind>;

/** The aggregate that the workflow changes. */
export const WorkflowTarget = z.object({
  area: z.enum(['model', 'endpoint', 'cluster']),
  id: z.uuid(),
  name: z.string(),
});
export type WorkflowTarget = z.output<typeof WorkflowTarget>;

const step = { workflow_id: WorkflowId, step: z.string().min(1) };

export const WorkflowStarted = event(
  'WorkflowStarted',
  z.object({
    workflow_id: WorkflowId,
    kind: WorkflowKind,
    target: WorkflowTarget,
    project_id: ProjectId.nullable(),
    /** The user who requested the workflow and gets its notifications. */
    user_id: UserId,
    /** In the expected order; a step that a service reports has the id of `contracts.md`. */
    steps: z.array(z.object({ id: z.string(), title: z.string() })).min(1),
    deadline: Deadline,
    /** False: it cannot be cancelled, from the start. */
    cancellable: z.boolean().optional(),
  }),
);
export const WorkflowStepStarted = event(
  'WorkflowStepStarted',
  z.object({ ...step, message: z.string(), deadline: Deadline }),
);
export const WorkflowStepSucceeded = event('WorkflowStepSucceeded', z.object({ ...step, message: z.string() }));
export const WorkflowStepFailed = event('WorkflowStepFailed', z.object({ ...step, reason: Reason }));
export const WorkflowStepSkipped = event('WorkflowStepSkipped', z.object({ ...step, reason: Reason }));
/** A step did not end in time, or failed, and is tried again until it succeeds. */
export const WorkflowStepRetried = event(
  'WorkflowStepRetried',
  z.object({ ...step, reason: Reason, deadline: Deadline }),
);
/** The workflow has failed or was cancelled, and takes back what it did. These steps come on top of its own. */
export const WorkflowUndoStarted = event(
  'WorkflowUndoStarted',
  z.object({
    workflow_id: WorkflowId,
    /** Why it is undone. */
    reason: Reason,
    /** In the order in which they are done. */
    steps: z.array(z.object({ id: z.string(), title: z.string() })),
    deadline: Deadline,
  }),
);
/** A service's estimate of the remaining time. */
export const WorkflowEtaReported = event(
  'WorkflowEtaReported',
  z.object({ workflow_id: WorkflowId, eta_minutes: z.number().min(0) }),
);

/**
 * A service has answered a call: an asynchronous call with the service's own workflow, a synchronous one with the
 * answer.
 */
export const WorkflowCallAnswered = event(
  'WorkflowCallAnswered',
  z.object({
    workflow_id: WorkflowId,
    call: z.string(),
    service_workflow_id: z.string().nullable(),
    /** The parsed answer of a synchronous call. */
    answer: z.unknown().optional(),
  }),
);
/** A call was refused, or all its attempts have failed. */
export const WorkflowCallFailed = event(
  'WorkflowCallFailed',
  z.object({
    workflow_id: WorkflowId,
    call: z.string(),
    attempts: z.int().min(1),
    reason: Reason,
    /** The HTTP status with which the service refused the call; absent where it did not. */
    status: z.int().optional(),
  }),
);
/** The domain has refused a command of the process. */
export const WorkflowCommandRefused = event(
  'WorkflowCommandRefused',
  z.object({ workflow_id: WorkflowId, command: z.string(), reason: Reason }),
);
/** The `results` message of a service: `result_type` is its `payload.type`. */
export const WorkflowResultReceived = event(
  'WorkflowResultReceived',
  z.object({ workflow_id: WorkflowId, result_type: z.string(), result: z.unknown() }),
);
/** A message that does not fit the workflow's state. It is recorded and has no effect. */
export const WorkflowMessageIgnored = event(
  'WorkflowMessageIgnored',
  z.object({
    workflow_id: WorkflowId,
    message_id: z.string(),
    message_type: z.string(),
    message_event: z.string(),
    status: z.string(),
    /** The message's result: the process may have to clean up what it describes. */
    result: z.unknown().optional(),
    why: Reason,
  }),
);
/** An operator has acted on a command or call that was parked. */
export const WorkflowParkedWorkResumed = event(
  'WorkflowParkedWorkResumed',
  z.object({
    workflow_id: WorkflowId,
    /** The name of the command or of the call. */
    work: z.string(),
    action: z.enum(['retry', 'skip']),
    /** The changed fields of the request; null: none. */
    changes: z.record(z.string(), z.unknown()).nullable(),
  }),
);
/** A timer of the process has fired. */
export const WorkflowTimerFired = event('WorkflowTimerFired', z.object({ workflow_id: WorkflowId, timer: z.string() }));

export const WorkflowCancelRequested = event('WorkflowCancelRequested', z.object({ workflow_id: WorkflowId }));
export const WorkflowSucceeded = event('WorkflowSucceeded', z.object({ workflow_id: WorkflowId }));
export const WorkflowFailed = event('WorkflowFailed', z.object({ workflow_id: WorkflowId, reason: Reason }));
export const WorkflowCancelled = event('WorkflowCancelled', z.object({ workflow_id: WorkflowId, reason: Reason }));

export const workflowEvents = [
  WorkflowStarted,
  WorkflowStepStarted,
  WorkflowStepSucceeded,
  WorkflowStepFailed,
  WorkflowStepSkipped,
  WorkflowStepRetried,
  WorkflowUndoStarted,
  WorkflowEtaReported,
  WorkflowCallAnswered,
  WorkflowCallFailed,
  WorkflowCommandRefused,
  WorkflowResultReceived,
  WorkflowMessageIgnored,
  WorkflowParkedWorkResumed,
  WorkflowTimerFired,
  WorkflowCancelRequested,
  WorkflowSucceeded,
  WorkflowFailed,
  WorkflowCancelled,
] as const;
