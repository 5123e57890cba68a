import type { WorkflowKind } from '../../events/workflow-events.ts';
import { findStep } from './step.ts';
import type { WorkflowState } from './workflow-state.ts';

/** What decides how a workflow ends, so that it cannot be cancelled any more. All of it is on the workflow's own stream. */
interface Decision {
  results?: readonly string[];
  calls?: readonly string[];
  /** From its start on. */
  step?: string;
}

const DECISIONS: Readonly<Record<WorkflowKind, Decision | 'never'>> = {
  'model-onboarding': { results: ['perform_model_extraction'], calls: ['model.extract-cloud'] },
  'endpoint-deployment': { results: ['deploy_model'] },
  'endpoint-scaling': { results: ['add_worker'], step: 'confirm_replicas' },
  'endpoint-deletion': { step: 'delete_namespace' },
  'endpoint-recovery': 'never',
  'endpoint-repair': 'never',
  'cluster-onboarding': { results: ['register_cluster'] },
  'cluster-deletion': { step: 'delete_namespace' },
  'cluster-recovery': 'never',
  'cluster-reregistration': 'never',
};

/** Whether it can still be cancelled: `never`, or `decided` where it is too late. */
export const cancellationOf = (state: WorkflowState): 'possible' | 'decided' | 'never' => {
  const decision = DECISIONS[state.kind];
  if (decision === 'never' || !state.cancellable) return 'never';
  const { results = [], calls = [], step } = decision;
  const found = step === undefined ? undefined : findStep(state, step);
  const isDecided =
    state.failing ||
    state.undoing ||
    results.some((type) => Object.hasOwn(state.results, type)) ||
    calls.some((call) => state.answered.includes(call)) ||
    (found !== undefined && found.status !== 'pending');
  return isDecided ? 'decided' : 'possible';
};
