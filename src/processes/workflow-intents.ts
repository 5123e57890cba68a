import { completeWorkflow } from '../commands/workflow/internal/complete-workflow.ts';
import { failWorkflow } from '../commands/workflow/internal/fail-workflow.ts';
import { markWorkflowCancelled } from '../commands/workflow/internal/mark-workflow-cancelled.ts';
import { startWorkflow } from '../commands/workflow/internal/start-workflow.ts';
import { startWorkflowStep } from '../commands/workflow/internal/start-workflow-step.ts';
import { startWorkflowUndo } from '../commands/workflow/internal/start-workflow-undo.ts';
import { type NotificationMetadata, SOURCE_TOPIC } from '../contracts/asynchronous.ts';
import type { Recorded } from '../events/catalog.ts';
import { type ProjectId, UserId, type WorkflowId } from '../events/ids.ts';
import type { Reason } from '../events/values.ts';
import type { WorkflowKind, WorkflowTarget } from '../events/workflow-events.ts';
import { type Abort, DEADLINE } from './abort.ts';
import { ask, type Intent, timer } from './process.ts';

/** The user who requested the workflow and is notified of it. Throws where no user did, which parks the event. */
export const requesterOf = (event: Recorded): UserId => UserId.parse(event.meta.actor.id);

/** The fields that every asynchronous call carries. */
export const reportTo = (
  workflow_id: WorkflowId,
  user_id: UserId,
): { notification_metadata: NotificationMetadata; source_topic: string } => ({
  notification_metadata: { name: 'bud-internal', subscriber_ids: user_id, workflow_id },
  source_topic: SOURCE_TOPIC,
});

interface Start {
  workflow_id: WorkflowId;
  user_id: UserId;
  kind: WorkflowKind;
  target: WorkflowTarget;
  project_id: ProjectId | null;
  /** Title by step id, in order. */
  steps: Readonly<Record<string, string>>;
  deadline: string;
  /** False: it cannot be cancelled, from the start. */
  cancellable?: boolean;
}

/** Starts the workflow that the user sees, and the timer for its deadline. */
export const begin = ({ steps, ...workflow }: Start): Intent[] => [
  ask(startWorkflow, { ...workflow, steps: Object.entries(steps).map(([id, title]) => ({ id, title })) }),
  timer(DEADLINE, workflow.deadline),
];

export const succeed = (workflow_id: WorkflowId): Intent => ask(completeWorkflow, { workflow_id });

/** Shows that the workflow takes back what it did, and the steps for that. */
export const beginUndo = (
  workflow_id: WorkflowId,
  { reason, steps, deadline }: { reason: Reason; steps: Readonly<Record<string, string>>; deadline: string },
): Intent[] => {
  const listed = Object.entries(steps).map(([id, title]) => ({ id, title }));
  const [first] = listed;
  return [
    ask(startWorkflowUndo, { workflow_id, reason, steps: listed, deadline }),
    ...(first ? [ask(startWorkflowStep, { workflow_id, step: first.id, message: first.title, deadline })] : []),
  ];
};

/** Ends the workflow as failed or as cancelled, whichever the abort says. */
export const giveUpWorkflow = (workflow_id: WorkflowId, { reason, ending }: Abort): Intent =>
  ending === 'failed'
    ? ask(failWorkflow, { workflow_id, reason })
    : ask(markWorkflowCancelled, { workflow_id, reason });
