import { z } from 'zod';
import { completeWorkflowStep } from '../commands/workflow/internal/complete-workflow-step.ts';
import { retryWorkflowStep } from '../commands/workflow/internal/retry-workflow-step.ts';
import { startWorkflowStep } from '../commands/workflow/internal/start-workflow-step.ts';
import type { Fact, Recorded } from '../events/catalog.ts';
import type { ProjectId, UserId, WorkflowId } from '../events/ids.ts';
import type { Reason } from '../events/values.ts';
import type { WorkflowKind, WorkflowTarget } from '../events/workflow-events.ts';
import { abortOf, DEADLINE } from './abort.ts';
import {
  abandonCalls,
  after,
  ask,
  type CommandIntent,
  end,
  type Intent,
  type Process,
  type Reaction,
  timer,
} from './process.ts';
import {
  attemptSeconds,
  beginRemoval,
  cleanupPending,
  endRemoval,
  followRemoval,
  Removal,
  type RemovalKind,
} from './removal.ts';
import { begin, giveUpWorkflow, succeed } from './workflow-intents.ts';

/** The step with which the cluster service is asked. From its start on the deletion cannot be cancelled. */
export const REMOVE = 'delete_namespace';
const END_CHANGE = 'end_change';

/** The stored state of a deletion, besides what is deleted. An earlier version stored neither removal nor attempt. */
export const deletionState = {
  phase: z.enum(['ending', 'starting', 'deleting', 'recording']),
  removal: Removal.nullable().default(null),
  /** Of waiting for the change that is ended. */
  attempt: z.int().default(1),
  /** When the first attempt of the removal is over. */
  deadline: z.string().nullable().default(null),
};
type Progress = z.output<z.ZodObject<typeof deletionState>>;

interface DeletionStart<Subject> {
  subject: Subject;
  workflow: {
    user_id: UserId;
    project_id: ProjectId | null;
    kind: WorkflowKind;
    target: WorkflowTarget;
    deadline: string;
    cancellable: boolean;
  };
  step_title: string;
  /** Whether a change that is under way ends first. */
  ends: boolean;
}

/** What is deleted, and by which commands. */
export interface DeletionKind<Subject extends { workflow_id: WorkflowId }> {
  name: string;
  state: z.ZodType<Progress & Subject>;
  /** Null: the event requests no deletion. */
  startOf(event: Recorded): DeletionStart<Subject> | null;
  /** The fact that the change is over which the deletion has ended. */
  change_ended: Fact['type'];
  /** The fact with which the deletion is done. */
  deleted: Fact['type'];
  /** Null: nothing is there to be removed, or an earlier version has stored the state. */
  removalOf(subject: Subject): { kind: RemovalKind; thing: string } | null;
  recordDeleted(subject: Subject): CommandIntent[];
  recordPending(subject: Subject, pending: { reason: Reason; deadline: string }): CommandIntent;
  cancel(subject: Subject, reason: Reason): CommandIntent;
  /** As an earlier version ended a deletion of which the cluster service had confirmed nothing. */
  fail(subject: Subject, reason: Reason): CommandIntent;
  isRemoved(event: Recorded): boolean;
}

/**
 *     (requested) --a change is under way--> ending --over--.
 *          '-----------------------------------------------> starting -> deleting -> recording -> (deleted)
 *                                                               |          '<-' again, until the cluster confirms
 *                                                               '--cancelled--> (as before)
 *
 * A deletion ends in no other way: what was ordered is done as soon as it can be done.
 */
export const createDeletion = <Subject extends { workflow_id: WorkflowId }>(
  kind: DeletionKind<Subject>,
): Process<Progress & Subject> => ({
  name: kind.name,
  state: kind.state,
  react: (state, event) => {
    if (!state) return start(kind, event);
    switch (state.phase) {
      case 'ending':
        return reactEnding(kind, state, event);
      case 'starting':
        return reactStarting(kind, state, event);
      case 'deleting':
        return state.removal ? reactDeleting(kind, state, event) : reactDeletingOnce(kind, state, event);
      case 'recording':
        return reactRecording(kind, state, event);
    }
  },
});

const start = <Subject extends { workflow_id: WorkflowId }>(
  kind: DeletionKind<Subject>,
  event: Recorded,
): Reaction<Progress & Subject> | null => {
  const started = kind.startOf(event);
  if (!started) return null;
  const { subject, workflow, step_title, ends } = started;
  const { workflow_id } = subject;
  const { deadline } = workflow;
  const title = 'End the change that is under way';
  const steps = { ...(ends ? { [END_CHANGE]: title } : {}), [REMOVE]: step_title };
  const [first, message] = ends ? [END_CHANGE, title] : [REMOVE, step_title];
  return {
    state: { ...subject, phase: ends ? 'ending' : 'starting', removal: null, attempt: 1, deadline },
    intents: [
      ...begin({ ...workflow, workflow_id, steps }),
      ask(startWorkflowStep, { workflow_id, step: first, message, deadline }),
    ],
  };
};

/** Waits for the change to end, which ends by itself. */
const reactEnding = <Subject extends { workflow_id: WorkflowId }>(
  kind: DeletionKind<Subject>,
  state: Progress & Subject,
  event: Recorded,
): Reaction<Progress & Subject> | null => {
  const { workflow_id } = state;
  if (event.type === kind.change_ended) {
    const deadline = after(event.at, attemptSeconds(1));
    return {
      state: { ...state, phase: 'starting' },
      intents: [
        ask(completeWorkflowStep, { workflow_id, step: END_CHANGE, message: 'The change is over' }),
        ask(startWorkflowStep, { workflow_id, step: REMOVE, message: '', deadline: state.deadline ?? deadline }),
      ],
    };
  }
  if (event.type !== 'WorkflowTimerFired' || event.data.timer !== DEADLINE) return null;
  const attempt = state.attempt + 1;
  const deadline = after(event.at, attemptSeconds(attempt));
  const reason = cleanupPending(DELETING, 'The change that was under way is not over yet.');
  return {
    state: { ...state, attempt, deadline },
    intents: [...pending(kind, state, { step: END_CHANGE, reason, deadline }), timer(DEADLINE, deadline)],
  };
};

const DELETING: Reason = { code: 'deleting', message: 'It is being deleted.' };

const pending = <Subject extends { workflow_id: WorkflowId }>(
  kind: DeletionKind<Subject>,
  subject: Subject,
  { step, reason, deadline }: { step: string; reason: Reason; deadline: string },
): Intent[] => [
  kind.recordPending(subject, { reason, deadline }),
  ask(retryWorkflowStep, { workflow_id: subject.workflow_id, step, reason, deadline }),
];

/** Waits for the step to start: whichever comes first on the workflow's stream, that or a request to cancel, counts. */
const reactStarting = <Subject extends { workflow_id: WorkflowId }>(
  kind: DeletionKind<Subject>,
  state: Progress & Subject,
  event: Recorded,
): Reaction<Progress & Subject> | null => {
  const { workflow_id } = state;
  if (event.type === 'WorkflowCancelRequested') {
    const reason = { code: 'cancelled', message: 'The deletion was cancelled on request; nothing was removed.' };
    const cancelled = giveUpWorkflow(workflow_id, { reason, ending: 'cancelled' });
    return { state, intents: [kind.cancel(state, reason), cancelled, end()] };
  }
  if (event.type !== 'WorkflowStepStarted' || event.data.step !== REMOVE) return null;
  const wanted = kind.removalOf(state);
  if (!wanted) return record(kind, state, []);
  const { thing } = wanted;
  const until = state.deadline !== null && state.deadline > event.at ? { until: state.deadline } : {};
  const { removal, intents } = beginRemoval(
    wanted.kind,
    { thing, service_workflow_id: null },
    { at: event.at, ...until },
  );
  return { state: { ...state, phase: 'deleting', removal }, intents };
};

const record = <Subject extends { workflow_id: WorkflowId }>(
  kind: DeletionKind<Subject>,
  state: Progress & Subject,
  before: readonly Intent[],
): Reaction<Progress & Subject> => {
  const { workflow_id } = state;
  const message = 'Nothing is left on the cluster';
  return {
    state: { ...state, phase: 'recording' },
    intents: [
      ...before,
      ask(completeWorkflowStep, { workflow_id, step: REMOVE, message }),
      ...kind.recordDeleted(state),
    ],
  };
};

const reactDeleting = <Subject extends { workflow_id: WorkflowId }>(
  kind: DeletionKind<Subject>,
  state: Progress & Subject,
  event: Recorded,
): Reaction<Progress & Subject> | null => {
  const wanted = kind.removalOf(state);
  if (!wanted || !state.removal) return null;
  const step = followRemoval(wanted.kind, state.removal, event);
  if (step === null) return null;
  if (step === 'gone') return record(kind, state, [abandonCalls(), ...endRemoval()]);
  const { removal, intents, again: deadline } = step;
  if (deadline === null) return { state: { ...state, removal }, intents };
  const reason = cleanupPending(DELETING, 'The cluster has not confirmed yet that nothing is left.');
  return {
    state: { ...state, removal },
    intents: [abandonCalls(), ...pending(kind, state, { step: REMOVE, reason, deadline }), ...intents],
  };
};

/** Ends a deletion that an earlier version began: it stored nothing with which the cluster could be asked again. */
const reactDeletingOnce = <Subject extends { workflow_id: WorkflowId }>(
  kind: DeletionKind<Subject>,
  state: Progress & Subject,
  event: Recorded,
): Reaction<Progress & Subject> | null => {
  if (kind.isRemoved(event)) return record(kind, state, []);
  // The cluster was asked already.
  const abort = event.type === 'WorkflowCancelRequested' ? null : abortOf(event);
  if (!abort) return null;
  const { workflow_id } = state;
  return {
    state,
    intents: [abandonCalls(), kind.fail(state, abort.reason), giveUpWorkflow(workflow_id, abort), end()],
  };
};

const reactRecording = <Subject extends { workflow_id: WorkflowId }>(
  kind: DeletionKind<Subject>,
  state: Progress & Subject,
  event: Recorded,
): Reaction<Progress & Subject> | null =>
  event.type === kind.deleted ? { state, intents: [succeed(state.workflow_id), end()] } : null;
