import type { AnyCommand } from '../command.ts';
import { cancelWorkflow } from './cancel-workflow.ts';
import { completeWorkflow } from './internal/complete-workflow.ts';
import { completeWorkflowStep } from './internal/complete-workflow-step.ts';
import { failWorkflow } from './internal/fail-workflow.ts';
import { failWorkflowStep } from './internal/fail-workflow-step.ts';
import { fireWorkflowTimer } from './internal/fire-workflow-timer.ts';
import { markWorkflowCancelled } from './internal/mark-workflow-cancelled.ts';
import { recordCallAnswer } from './internal/record-call-answer.ts';
import { recordCallFailure } from './internal/record-call-failure.ts';
import { recordCommandRefusal } from './internal/record-command-refusal.ts';
import { recordParkedWorkResumed } from './internal/record-parked-work-resumed.ts';
import { recordServiceMessage } from './internal/record-service-message.ts';
import { recordUnreadableMessage } from './internal/record-unreadable-message.ts';
import { retryWorkflowStep } from './internal/retry-workflow-step.ts';
import { skipWorkflowStep } from './internal/skip-workflow-step.ts';
import { startWorkflow } from './internal/start-workflow.ts';
import { startWorkflowStep } from './internal/start-workflow-step.ts';
import { startWorkflowUndo } from './internal/start-workflow-undo.ts';

/** The commands of the area workflow. */
export const workflowCommands: readonly AnyCommand[] = [
  cancelWorkflow,
  // Sent by BudApp only.
  completeWorkflow,
  completeWorkflowStep,
  failWorkflow,
  failWorkflowStep,
  fireWorkflowTimer,
  markWorkflowCancelled,
  recordCallAnswer,
  recordCallFailure,
  recordCommandRefusal,
  recordParkedWorkResumed,
  recordServiceMessage,
  recordUnreadableMessage,
  retryWorkflowStep,
  skipWorkflowStep,
  startWorkflow,
  startWorkflowStep,
  startWorkflowUndo,
];
