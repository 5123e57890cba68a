import { rejected } from '../errors.ts';
import type { WorkflowId } from '../events/ids.ts';

export const notRetryable = (message: string, hint: string) => rejected('workflow-not-retryable', message, { hint });

interface Target {
  state: { status: string; workflow_id: WorkflowId };
  area: string;
  /** Whether nothing is left of what the workflow did. */
  is_undone: boolean;
}

/** Throws `Rejected` `workflow-not-retryable` where the workflow is not the target's last one, or is not undone. */
export const assertRetryable = ({ state, area, is_undone }: Target, workflow_id: WorkflowId): void => {
  if (state.workflow_id !== workflow_id) {
    throw notRetryable(`A later workflow has changed the ${area}.`, `Retry the workflow ${state.workflow_id}.`);
  }
  if (is_undone) return;
  throw notRetryable(
    `The ${area} is ${state.status}.`,
    `A workflow can be retried once it has failed or was cancelled, and nothing of the ${area} is left.`,
  );
};
