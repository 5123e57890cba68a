import { z } from 'zod';
import { startWorkflowStep } from '../commands/workflow/internal/start-workflow-step.ts';
import type { Fact, Recorded } from '../events/catalog.ts';
import { deriveId, type ProjectId, type UserId, WorkflowId } from '../events/ids.ts';
import type { WorkflowKind, WorkflowTarget } from '../events/workflow-events.ts';
import { DEADLINE, failed } from './abort.ts';
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

/** The stored state of a recovery under way: keep it backward compatible. */
interface Current {
  workflow_id: WorkflowId;
  /** Absent in the oldest stored states. */
  deadline?: string | undefined;
}

export interface RecoveryState<Known, Recovery extends Current> {
  /** Null where an older version stored the state: each recovery had its own instance, which ends with it. */
  known: Known | null;
  recovery: Recovery | null;
}

interface RecoveryStart<Known, Recovery extends Current> {
  known: Known;
  recovery: Recovery;
  /** The workflow as the user sees it. */
  workflow: { user_id: UserId; project_id: ProjectId | null; target: WorkflowTarget; deadline: string };
  /** What is wrong, as the user reads it. */
  message: string;
}

/** The meaning of a fact for the instance of its endpoint or cluster. */
export type RecoverySignal<Known, Recovery extends Current> =
  | { type: 'learned'; known: Known }
  | { type: 'begun'; start: RecoveryStart<Known, Recovery>; overdue: boolean }
  | { type: 'recovered' }
  | { type: 'superseded'; message: string }
  /** The endpoint or cluster is being removed. */
  | { type: 'gone'; message: string };

type FactOf<Type extends Fact['type']> = Extract<Recorded, { type: Type }>;
export type CallAnswered = FactOf<'WorkflowCallAnswered'>;

interface RecoveryKind<Recovery extends Current> {
  kind: Extract<WorkflowKind, `${string}-recovery`>;
  step: { id: string; title: string };
  /** The first call of a check. */
  check(recovery: Recovery, at: string): CallIntent;
  /** The next call of the check, or the command that records its outcome; null: the answer is of no use. */
  onAnswer(recovery: Recovery, event: CallAnswered): CallIntent | CommandIntent | null;
  /** The refusal code of a command whose endpoint or cluster does not exist any more. */
  goneCode: string;
  /** The command whose fact begins the next recovery; `proof` says which deadline has passed. */
  recordOverdue(recovery: Recovery, proof: { deadline: string } | { workflow_id: WorkflowId }): CommandIntent;
  /** The message with which a recovery fails then. */
  overdueMessage: string;
}

interface RecoveryOptions<Type extends Fact['type'], Known, Recovery extends Current> extends RecoveryKind<Recovery> {
  known: z.ZodType<Known>;
  recovery: z.ZodType<Recovery>;
  /** The field with the id of the endpoint or cluster. */
  key: string;
  /** The facts from which the instance learns, and those that begin or end a recovery. */
  facts: readonly Type[];
  /** null: the instance ignores the fact, for example where no user requested the endpoint. */
  signalOf(event: FactOf<Type>, state: RecoveryState<Known, Recovery>): RecoverySignal<Known, Recovery> | null;
}

const CHECK = 'check';
/** Most outages end by themselves, and the cluster reports it: a check is for the report that gets lost. */
const FIRST_CHECK_SECONDS = 15;
const CHECK_SECONDS = 60;

/**
 * The workflow of the recovery that a fact begins. It is the same at every replay, and equal to the one that the fact
 * names for older code.
 */
export const recoveryIdOf = ({ meta }: Recorded, named: WorkflowId | undefined): WorkflowId =>
  named ?? WorkflowId.parse(deriveId(meta.command_id, 'recovery'));

/** The recovery that a fact names for older code. It leads to an instance that older code has begun. */
const namedBy = ({ data }: Recorded): WorkflowId | null => {
  if ('recovery' in data) return data.recovery?.workflow_id ?? null;
  return ('recovery_id' in data ? data.recovery_id : null) ?? null;
};

/**
 * A process manager with one instance for each endpoint or cluster. The instance learns from the facts what a recovery
 * needs. For each recovery it begins a workflow, waits, and checks at intervals:
 *
 *     idle --begun--> checking <-> (asks, records the answer)
 *      ^                |--recovered--------> (workflow succeeded)
 *      |                |--superseded-------> (workflow cancelled)
 *      |----------------'
 *                       '--the deadline passes--> (asks to record that, until the fact begins the next: workflow failed)
 *
 *     gone: (workflow cancelled or failed, if there is one) and the instance ends
 */
export const createRecovery = <Type extends Fact['type'], Known, Recovery extends Current>(
  options: RecoveryOptions<Type, Known, Recovery>,
): Process<RecoveryState<Known, Recovery>> => {
  const types: ReadonlySet<string> = new Set(options.facts);
  const isFact = (event: Recorded): event is FactOf<Type> => types.has(event.type);
  return {
    name: options.kind,
    state: z.union([
      z.object({ known: options.known.nullable(), recovery: options.recovery.nullable() }),
      options.recovery.transform((recovery) => ({ known: null, recovery })),
    ]),
    keyed_by: { field: options.key, types },
    follows: ({ recovery }) => recovery?.workflow_id ?? null,
    workflowOf: (event) => (isFact(event) ? namedBy(event) : workflowOf(event)),
    react: (stored, event) => {
      const state = stored ?? { known: null, recovery: null };
      if (!isFact(event)) return followWorkflow(options, state, event);
      const signal = options.signalOf(event, state);
      return signal && followSignal(options, state, { signal, at: event.at });
    },
  };
};

const followSignal = <Known, Recovery extends Current>(
  kind: RecoveryKind<Recovery>,
  state: RecoveryState<Known, Recovery>,
  { signal, at }: { signal: RecoverySignal<Known, Recovery>; at: string },
): Reaction<RecoveryState<Known, Recovery>> | null => {
  const { known, recovery } = state;
  switch (signal.type) {
    case 'learned':
      return { state: { known: signal.known, recovery }, intents: [] };
    case 'begun': {
      const { start } = signal;
      if (recovery?.workflow_id === start.recovery.workflow_id) return null;
      // A resource that becomes degraded again has recovered in between, though this instance did not see it.
      const ending = recovery && (signal.overdue ? fail(kind, recovery) : succeed(recovery.workflow_id));
      const intents = [...(ending ? [abandonCalls(), ending] : []), ...startOf(kind, start, at)];
      return { state: { known: start.known, recovery: start.recovery }, intents };
    }
    case 'recovered':
      return recovery && stop(state, [succeed(recovery.workflow_id)]);
    case 'superseded':
      return recovery && stop(state, [cancel(recovery, signal.message)]);
    case 'gone':
      if (!known && !recovery) return null;
      return stop(state, recovery ? [cancel(recovery, signal.message)] : [], { gone: true });
  }
};

const followWorkflow = <Known, Recovery extends Current>(
  kind: RecoveryKind<Recovery>,
  state: RecoveryState<Known, Recovery>,
  event: Recorded,
): Reaction<RecoveryState<Known, Recovery>> | null => {
  const { recovery } = state;
  // A late answer or timer of an earlier recovery says nothing about this one.
  if (!recovery || workflowOf(event) !== recovery.workflow_id) return null;
  switch (event.type) {
    case 'WorkflowTimerFired': {
      if (event.data.timer === DEADLINE) return goOverdue(kind, { ...state, recovery }, event.at);
      const next = timer(CHECK, after(event.at, CHECK_SECONDS));
      return { state, intents: [kind.check(recovery, event.at), next] };
    }
    case 'WorkflowCallAnswered': {
      const intent = kind.onAnswer(recovery, event);
      return intent && { state, intents: [intent] };
    }
    case 'WorkflowCommandRefused': {
      const { reason } = event.data;
      // Whatever else the command was refused for may be over at the next check.
      if (reason.code !== kind.goneCode) return null;
      return stop(state, [giveUpWorkflow(recovery.workflow_id, { reason, ending: 'failed' })], { gone: true });
    }
    default:
      // The next check follows a call that failed: the cluster that did not answer may be the one that must recover.
      return null;
  }
};

const startOf = <Known, Recovery extends Current>(
  { kind, step }: RecoveryKind<Recovery>,
  { recovery: { workflow_id }, workflow, message }: RecoveryStart<Known, Recovery>,
  at: string,
): Intent[] => [
  ...begin({ ...workflow, workflow_id, kind, steps: { [step.id]: step.title } }),
  ask(startWorkflowStep, { workflow_id, step: step.id, message, deadline: workflow.deadline }),
  timer(CHECK, after(at, FIRST_CHECK_SECONDS)),
];

const stop = <Known, Recovery extends Current>(
  { known }: RecoveryState<Known, Recovery>,
  last: readonly Intent[],
  { gone = known === null } = {},
): Reaction<RecoveryState<Known, Recovery>> => ({
  state: { known, recovery: null },
  intents: [abandonCalls(), ...last, ...(gone ? [end()] : [])],
});

const goOverdue = <Known, Recovery extends Current>(
  kind: RecoveryKind<Recovery>,
  state: RecoveryState<Known, Recovery> & { recovery: Recovery },
  at: string,
): Reaction<RecoveryState<Known, Recovery>> => {
  const { known, recovery } = state;
  const { workflow_id, deadline } = recovery;
  // The next recovery begins in the instance of the endpoint or cluster, of which this one knows nothing.
  if (!known) return stop(state, [kind.recordOverdue(recovery, { workflow_id }), fail(kind, recovery)]);
  const record = kind.recordOverdue(recovery, deadline === undefined ? { workflow_id } : { deadline });
  return { state, intents: [abandonCalls(), record, timer(DEADLINE, after(at, CHECK_SECONDS))] };
};

const fail = ({ overdueMessage }: { overdueMessage: string }, { workflow_id }: Current): Intent =>
  giveUpWorkflow(workflow_id, failed('recovery-overdue', overdueMessage));

const cancel = ({ workflow_id }: Current, message: string): Intent =>
  giveUpWorkflow(workflow_id, { reason: { code: 'superseded', message }, ending: 'cancelled' });
