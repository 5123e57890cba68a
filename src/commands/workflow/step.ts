import { Rejected } from '../../errors.ts';
import { isOver, type Step, type StepStatus, type WorkflowState } from './workflow-state.ts';

export const findStep = ({ steps }: WorkflowState, id: string): Step | undefined =>
  steps.find((step) => step.id === id);

/**
 * Whether the step can change to `next`. False where it has that status or a later one, or the workflow has ended, so
 * that a repeat changes nothing. Throws `Rejected` `unknown-step`.
 */
export const canStepTo = (state: WorkflowState, id: string, next: StepStatus): boolean => {
  const step = findStep(state, id);
  if (!step) throw new Rejected('invalid', 'unknown-step', `The workflow has no step ${id}.`);
  if (state.status !== 'running' || isOver(step)) return false;
  return next !== 'running' || step.status === 'pending';
};
