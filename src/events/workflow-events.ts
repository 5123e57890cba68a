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
  'cluster-onboarding',
  'cluster-deletion',
  'cluster-recovery',
]);
export type WorkflowKind = z.output<typeof WorkflowKind>;

/** What the workflow works on. */
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
    /** Who asked for it and is told about it. */
    user_id: UserId,
    /** In the order in which they are expected; ids are those of `contracts.md` where a service reports them. */
    steps: z.array(z.object({ id: z.string(), title: z.string() })).min(1),
    deadline: Deadline,
  }),
);
export const WorkflowStepStarted = event(
  'WorkflowStepStarted',
  z.object({ ...step, message: z.string(), deadline: Deadline }),
);
export const WorkflowStepSucceeded = event('WorkflowStepSucceeded', z.object({ ...step, message: z.string() }));
export const WorkflowStepFailed = event('WorkflowStepFailed', z.object({ ...step, reason: Reason }));
export const WorkflowStepSkipped = event('WorkflowStepSkipped', z.object({ ...step, reason: Reason }));
/** How long a service thinks it will take. */
export const WorkflowEtaReported = event(
  'WorkflowEtaReported',
  z.object({ workflow_id: WorkflowId, eta_minutes: z.number().min(0) }),
);

/** Another service answered a call of ours: for an asynchronous one with its own workflow, else with the answer itself. */
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
/** A call was refused, or all its attempts were used up. */
export const WorkflowCallFailed = event(
  'WorkflowCallFailed',
  z.object({ workflow_id: WorkflowId, call: z.string(), attempts: z.int().min(1), reason: Reason }),
);
/** A command that the process asked for was refused by the domain. */
export const WorkflowCommandRefused = event(
  'WorkflowCommandRefused',
  z.object({ workflow_id: WorkflowId, command: z.string(), reason: Reason }),
);
/** The `results` message of a service: `result_type` is its `payload.type`. */
export const WorkflowResultReceived = event(
  'WorkflowResultReceived',
  z.object({ workflow_id: WorkflowId, result_type: z.string(), result: z.unknown() }),
);
/** A message that does not fit the state the workflow is in: kept, and without effect. */
export const WorkflowMessageIgnored = event(
  'WorkflowMessageIgnored',
  z.object({
    workflow_id: WorkflowId,
    message_id: z.string(),
    message_type: z.string(),
    message_event: z.string(),
    status: z.string(),
    /** The result it carried: a process may have to clean up what it tells of. */
    result: z.unknown().optional(),
    why: Reason,
  }),
);
/** A timer that the process had set went off. */
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
  WorkflowEtaReported,
  WorkflowCallAnswered,
  WorkflowCallFailed,
  WorkflowCommandRefused,
  WorkflowResultReceived,
  WorkflowMessageIgnored,
  WorkflowTimerFired,
  WorkflowCancelRequested,
  WorkflowSucceeded,
  WorkflowFailed,
  WorkflowCancelled,
] as const;
