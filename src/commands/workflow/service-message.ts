import { isDeepStrictEqual } from 'node:util';
import type { WorkflowFact } from '../../events/catalog.ts';
import type { WorkflowId } from '../../events/ids.ts';
import type { Reason } from '../../events/values.ts';
import { findStep } from './step.ts';
import { isOver, type Step, type WorkflowState } from './workflow-state.ts';

/** A message of another service; `message_event` is a step id, `eta` or `results`. */
export interface ServiceMessage {
  workflow_id: WorkflowId;
  message_id: string;
  message_type: string;
  message_event: string;
  status: string;
  title: string;
  text: string;
  result?: unknown;
}

type WhyIgnored =
  | 'unknown-step'
  | 'workflow-finished'
  | 'step-finished'
  | 'repeated-results'
  | 'unknown-status'
  | 'unreadable-eta';

/** Types that complete without a result: an empty one is no failure. */
const WITHOUT_RESULT: ReadonlySet<string> = new Set(['delete_deployment', 'delete_cluster', 'delete_worker']);
/** Types of which one workflow can have several, one after the other: only the same content is a repeat. */
const SEVERAL_RESULTS: ReadonlySet<string> = new Set(['delete_worker']);

const ignored = (message: ServiceMessage, code: WhyIgnored, why: string): WorkflowFact => {
  const { workflow_id, message_id, message_type, message_event, status, result } = message;
  const data = { workflow_id, message_id, message_type, message_event, status, why: { code, message: why } };
  return { type: 'WorkflowMessageIgnored', data: result == null ? data : { ...data, result } };
};

const failureOf = ({ message_type, title, text }: ServiceMessage): Reason => ({
  code: 'service-reported-failure',
  message: text || title || `The service reports that ${message_type} failed.`,
});

const decideEta = (message: ServiceMessage, state: WorkflowState): WorkflowFact | [] => {
  const eta_minutes = message.text.trim() === '' ? Number.NaN : Number(message.text);
  if (!Number.isFinite(eta_minutes) || eta_minutes < 0) {
    return ignored(message, 'unreadable-eta', `"${message.text}" is not a number of minutes.`);
  }
  if (eta_minutes === state.eta_minutes) return [];
  return { type: 'WorkflowEtaReported', data: { workflow_id: message.workflow_id, eta_minutes } };
};

/** The step of a failure that names none: the running step, the next one, or else the last. */
const failedStep = ({ steps }: WorkflowState): Step | undefined =>
  steps.find(({ status }) => status === 'running') ?? steps.find((step) => !isOver(step)) ?? steps.at(-1);

/**
 * A message that nobody can read may have been the one that the workflow waits for: it ends with a reason, rather than at
 * its deadline. Nothing changes in a workflow that has ended, or has a failed step.
 */
export const decideUnreadable = (
  { workflow_id, why }: { workflow_id: WorkflowId; why: string },
  state: WorkflowState,
): WorkflowFact | [] => {
  const step = failedStep(state);
  if (state.status !== 'running' || !step || state.steps.some(({ status }) => status === 'failed')) return [];
  const message = `A message of a service about this workflow cannot be read: ${why}. Look at the service, then try again.`;
  return {
    type: 'WorkflowStepFailed',
    data: { workflow_id, step: step.id, reason: { code: 'unreadable-message', message } },
  };
};

const isNewResult = (before: unknown, { message_type, result = null }: ServiceMessage): boolean =>
  SEVERAL_RESULTS.has(message_type) && (result === null || !isDeepStrictEqual(before, result));

const decideResults = (message: ServiceMessage, state: WorkflowState): WorkflowFact => {
  const { workflow_id, message_type, status, result = null } = message;
  const isKnown = Object.hasOwn(state.results, message_type);
  if (isKnown && !isNewResult(state.results[message_type], message)) {
    return ignored(message, 'repeated-results', 'These results have been received before.');
  }
  if (status !== 'FAILED' && (result !== null || WITHOUT_RESULT.has(message_type))) {
    return { type: 'WorkflowResultReceived', data: { workflow_id, result_type: message_type, result } };
  }
  // What is being undone has failed already, and the undoing finds out by itself how it goes.
  const step = state.undoing ? undefined : failedStep(state);
  if (!step || state.steps.some((other) => other.status === 'failed')) {
    return ignored(message, 'step-finished', 'A step has failed already.');
  }
  return { type: 'WorkflowStepFailed', data: { workflow_id, step: step.id, reason: failureOf(message) } };
};

const decideStep = (message: ServiceMessage, state: WorkflowState): WorkflowFact | [] => {
  const { workflow_id, message_event, status, title, text } = message;
  const step = findStep(state, message_event);
  if (!step) return ignored(message, 'unknown-step', `The workflow has no step ${message_event}.`);
  if (isOver(step)) return ignored(message, 'step-finished', `The step ${step.id} is over: it is ${step.status}.`);
  const data = { workflow_id, step: step.id, message: text || title };
  switch (status) {
    case 'STARTED':
    case 'RUNNING':
      if (step.status === 'running') return [];
      return { type: 'WorkflowStepStarted', data: { ...data, deadline: state.deadline } };
    case 'COMPLETED':
      return { type: 'WorkflowStepSucceeded', data };
    case 'FAILED':
      return { type: 'WorkflowStepFailed', data: { workflow_id, step: step.id, reason: failureOf(message) } };
    default:
      return ignored(message, 'unknown-status', `"${status}" is not a step status.`);
  }
};

/**
 * Decides what a message changes in the current state. Messages arrive twice, late and in any order, each time under a
 * new id, so only the state tells which of them is new.
 */
export const decideMessage = (message: ServiceMessage, state: WorkflowState): WorkflowFact | [] => {
  if (state.status !== 'running') {
    return ignored(message, 'workflow-finished', `The workflow is over: it is ${state.status}.`);
  }
  if (message.message_event === 'eta') return decideEta(message, state);
  if (message.message_event === 'results') return decideResults(message, state);
  return decideStep(message, state);
};
