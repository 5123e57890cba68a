import { isDeepStrictEqual } from 'node:util';
import type { WorkflowFact } from '../../events/catalog.ts';
import type { WorkflowId } from '../../events/ids.ts';
import type { Reason } from '../../events/values.ts';
import { findStep, isOver } from './step.ts';
import type { Step, WorkflowState } from './workflow-state.ts';

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

/** Done without a result: for these, an empty one is no failure. */
const WITHOUT_RESULT: ReadonlySet<string> = new Set(['delete_deployment', 'delete_cluster', 'delete_worker']);
/** One workflow may have several of them done, one after the other: only the same content again is a repeat. */
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
    return ignored(message, 'unreadable-eta', `"${message.text}" is no number of minutes.`);
  }
  if (eta_minutes === state.eta_minutes) return [];
  return { type: 'WorkflowEtaReported', data: { workflow_id: message.workflow_id, eta_minutes } };
};

/** The step that a failure without a step belongs to: the one that goes on, the next one, or else the last. */
const stepInQuestion = ({ steps }: WorkflowState): Step | undefined =>
  steps.find(({ status }) => status === 'running') ?? steps.find((step) => !isOver(step)) ?? steps.at(-1);

const isAnother = (before: unknown, { message_type, result = null }: ServiceMessage): boolean =>
  SEVERAL_RESULTS.has(message_type) && (result === null || !isDeepStrictEqual(before, result));

const decideResults = (message: ServiceMessage, state: WorkflowState): WorkflowFact => {
  const { workflow_id, message_type, status, result = null } = message;
  const isKnown = Object.hasOwn(state.results, message_type);
  if (isKnown && !isAnother(state.results[message_type], message)) {
    return ignored(message, 'repeated-results', 'These results have been received before.');
  }
  if (status !== 'FAILED' && (result !== null || WITHOUT_RESULT.has(message_type))) {
    return { type: 'WorkflowResultReceived', data: { workflow_id, result_type: message_type, result } };
  }
  const step = stepInQuestion(state);
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
      return ignored(message, 'unknown-status', `A step cannot be "${status}".`);
  }
};

/**
 * What a message means for the state that the workflow is in. Messages come twice, late and in any order, under a new
 * id each time, so only the state tells which of them is news.
 */
export const decideMessage = (message: ServiceMessage, state: WorkflowState): WorkflowFact | [] => {
  if (state.status !== 'running') {
    return ignored(message, 'workflow-finished', `The workflow is over: it is ${state.status}.`);
  }
  if (message.message_event === 'eta') return decideEta(message, state);
  if (message.message_event === 'results') return decideResults(message, state);
  return decideStep(message, state);
};
