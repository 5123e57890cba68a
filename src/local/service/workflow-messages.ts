import type { Notification, ReportedStepStatus } from '../../contracts/notification.ts';
import { messageOf, type Sender } from './message.ts';
import type { Plan, StepDescription } from './plan.ts';
import { StepFailed } from './step-failed.ts';

/** The messages that are the same for all workflows of one service. */
export interface Wording {
  sender: Sender;
  /** True where the estimate is sent before the first step; else it is sent once that has started. */
  eta_first: boolean;
  /** The text for a step that starts. */
  started(step: StepDescription): string;
  /** The text for the user of an error that is a fault of the service. */
  fault(error: unknown): string;
}

/** The messages of one workflow, in the order in which they are sent. */
export const createMessages = (plan: Plan, wording: Wording) => {
  const compose = (
    event: string,
    status: ReportedStepStatus,
    content: { title: string; message: string; result?: unknown },
  ) => messageOf(wording.sender, plan.to, { type: plan.type, event, status, ...content });
  const eta = () => compose('eta', 'RUNNING', { title: plan.title ?? 'eta', message: String(plan.eta_minutes) });
  const reasonOf = (error: unknown) => (error instanceof StepFailed ? error.message : wording.fault(error));

  return {
    opening: (): Notification[] => (wording.eta_first ? [eta()] : []),
    started: (step: StepDescription): Notification[] => [
      compose(step.id, 'STARTED', { title: step.title, message: wording.started(step) }),
      ...(wording.eta_first || step !== plan.steps[0] ? [] : [eta()]),
    ],
    completed: (step: StepDescription, message: string): Notification =>
      compose(step.id, 'COMPLETED', { title: step.title, message }),
    succeeded: (result: unknown): Notification[] => {
      const message = plan.title === null ? 'done' : `${plan.title}: done`;
      return [compose('results', 'COMPLETED', { title: plan.title ?? 'results', message, result })];
    },
    failed: (step: StepDescription, error: unknown): Notification[] => {
      const message = reasonOf(error);
      const result = plan.failure_result;
      return [
        compose(step.id, 'FAILED', { title: step.title, message }),
        compose('results', 'FAILED', { title: plan.title ?? 'results', message, result }),
      ];
    },
  };
};
