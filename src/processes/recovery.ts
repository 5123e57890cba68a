import type { z } from 'zod';
import { startWorkflowStep } from '../commands/workflow/internal/start-workflow-step.ts';
import type { Recorded } from '../events/catalog.ts';
import type { ProjectId, UserId, WorkflowId } from '../events/ids.ts';
import type { WorkflowKind, WorkflowTarget } from '../events/workflow-events.ts';
import { type Abort, DEADLINE, failed } from './abort.ts';
import {
  abandonCalls,
  after,
  ask,
  type CallIntent,
  type CommandIntent,
  end,
  type Intent,
  type Process,
  type Reaction,
  timer,
  workflowOf,
} from './process.ts';
import { begin, giveUpWorkflow, succeed } from './workflow-intents.ts';

interface RecoveryStart<State> {
  state: State;
  user_id: UserId;
  project_id: ProjectId | null;
  target: WorkflowTarget;
  /** What is wrong, as the user reads it. */
  message: string;
  deadline: string;
}

/** What a fact of the domain means to the recovery `workflow_id`; where that is null, no recovery follows the fact. */
export type RecoverySignal<State> =
  | { workflow_id: null }
  | ({ workflow_id: WorkflowId } & (
      | { type: 'begun'; start: RecoveryStart<State> }
      | { type: 'recovered' }
      | { type: 'superseded'; message: string }
    ));

/** The fact reports the success of the recovery that it names. */
export const recovered = (recovery_id: WorkflowId | undefined): RecoverySignal<never> =>
  recovery_id ? { workflow_id: recovery_id, type: 'recovered' } : { workflow_id: null };

/** The fact begins an operation that replaces the recovery that it names. */
export const superseded = (recovery_id: WorkflowId | undefined, message: string): RecoverySignal<never> =>
  recovery_id ? { workflow_id: recovery_id, type: 'superseded', message } : { workflow_id: null };

export type CallAnswered = Extract<Recorded, { type: 'WorkflowCallAnswered' }>;

interface RecoveryOptions<State> {
  kind: Extract<WorkflowKind, `${string}-recovery`>;
  state: z.ZodType<State>;
  step: { id: string; title: string };
  /** null: the event is no fact of the domain that begins or ends a recovery. */
  signalOf(event: Recorded): RecoverySignal<State> | null;
  /** The first call of a check. */
  check(state: State, at: string): CallIntent;
  /** The next call of the check, or the command that records its outcome; null: the answer is of no use. */
  onAnswer(state: State, event: CallAnswered): CallIntent | CommandIntent | null;
  /** The refusal code of a command whose endpoint or cluster does not exist any more. */
  goneCode: string;
  /** The command whose fact begins the next recovery, and the message with which this one fails. */
  overdue(state: State): { record: CommandIntent; message: string };
}

const CHECK = 'check';
/** Most outages end by themselves, and the cluster reports it: a check is for the report that gets lost. */
const FIRST_CHECK_SECONDS = 15;
const CHECK_SECONDS = 60;

/**
 * A process manager that waits for an endpoint or a cluster to recover, and checks at intervals whether it has:
 *
 *     (begun) -> checking <-> (asks, records the answer)
 *                  |--recovered-------------> (succeeded)
 *                  |--superseded------------> (cancelled)
 *                  |--gone------------------> (failed)
 *                  '--the deadline passes---> (failed: recorded as overdue, and the next recovery begins)
 */
export const createRecovery = <State extends { workflow_id: WorkflowId }>(
  options: RecoveryOptions<State>,
): Process<State> => ({
  name: options.kind,
  state: options.state,
  workflowOf: (event) => {
    const signal = options.signalOf(event);
    return signal ? signal.workflow_id : workflowOf(event);
  },
  react: (state, event) => {
    const signal = options.signalOf(event);
    if (signal) return signal.workflow_id === null ? null : followSignal(options, state, { signal, at: event.at });
    return state && followWorkflow(options, state, event);
  },
});

type Followed<State> = Exclude<RecoverySignal<State>, { workflow_id: null }>;

const followSignal = <State extends { workflow_id: WorkflowId }>(
  options: RecoveryOptions<State>,
  state: State | null,
  { signal, at }: { signal: Followed<State>; at: string },
): Reaction<State> | null => {
  if (!state) return signal.type === 'begun' ? start(options, signal.start, at) : null;
  switch (signal.type) {
    case 'begun':
      return null;
    case 'recovered':
      return stop(state, [succeed(state.workflow_id)]);
    case 'superseded':
      return giveUp(state, { reason: { code: 'superseded', message: signal.message }, ending: 'cancelled' });
  }
};

const followWorkflow = <State extends { workflow_id: WorkflowId }>(
  options: RecoveryOptions<State>,
  state: State,
  event: Recorded,
): Reaction<State> | null => {
  switch (event.type) {
    case 'WorkflowTimerFired': {
      if (event.data.timer === DEADLINE) return goOverdue(options, state);
      const next = timer(CHECK, after(event.at, CHECK_SECONDS));
      return { state, intents: [options.check(state, event.at), next] };
    }
    case 'WorkflowCallAnswered': {
      const intent = options.onAnswer(state, event);
      return intent && { state, intents: [intent] };
    }
    case 'WorkflowCommandRefused':
      // Whatever else the command was refused for may be over at the next check.
      if (event.data.reason.code !== options.goneCode) return null;
      return giveUp(state, { reason: event.data.reason, ending: 'failed' });
    default:
      // The next check follows a call that failed: the cluster that did not answer may be the one that must recover.
      return null;
  }
};

const start = <State extends { workflow_id: WorkflowId }>(
  { kind, step }: RecoveryOptions<State>,
  { state, message, ...workflow }: RecoveryStart<State>,
  at: string,
): Reaction<State> => {
  const { workflow_id } = state;
  return {
    state,
    intents: [
      ...begin({ ...workflow, workflow_id, kind, steps: { [step.id]: step.title } }),
      ask(startWorkflowStep, { workflow_id, step: step.id, message, deadline: workflow.deadline }),
      timer(CHECK, after(at, FIRST_CHECK_SECONDS)),
    ],
  };
};

const stop = <State>(state: State, last: readonly Intent[]): Reaction<State> => ({
  state,
  intents: [abandonCalls(), ...last, end()],
});

const giveUp = <State extends { workflow_id: WorkflowId }>(state: State, abort: Abort): Reaction<State> =>
  stop(state, [giveUpWorkflow(state.workflow_id, abort)]);

const goOverdue = <State extends { workflow_id: WorkflowId }>(
  { overdue }: RecoveryOptions<State>,
  state: State,
): Reaction<State> => {
  const { record, message } = overdue(state);
  return stop(state, [record, giveUpWorkflow(state.workflow_id, failed('recovery-overdue', message))]);
};
