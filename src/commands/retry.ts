import { rejected } from '../errors.ts';
import type { WorkflowId } from '../events/ids.ts';

export const notRetryable = (message: string, hint: string) => rejected('workflow-not-retryable', message, { hint });

interface Target {
  state: { status: string; workflow_id: WorkflowId; holds_name: boolean };
  area: string;
  /** The statuses in which nothing is left of what the workflow did. */
  undone: readonly string[];
}

/** Throws `Rejected` `workflow-not-retryable` where the workflow is not the target's last one, or is not undone. */
export const assertRetryable = ({ state, area, undone }: Target, workflow_id: WorkflowId): void => {
  if (state.workflow_id !== workflow_id) {
    throw notRetryable(`A later workflow has changed the ${area}.`, `Retry the workflow ${state.workflow_id}.`);
  }
  if (undone.includes(state.status) && !state.holds_name) return;
  throw notRetryable(
    `The ${area} is ${state.status}.`,
    `A workflow can be retried once it has failed or was cancelled, and nothing of the ${area} is left.`,
  );
};
