import type { Recorded, WorkflowFact } from '../../events/catalog.ts';
import type { ProjectId, WorkflowId } from '../../events/ids.ts';
import type { WorkflowKind, WorkflowTarget } from '../../events/workflow-events.ts';
import { type Aggregate, commandsOn } from '../command.ts';

/** pending -> running -> succeeded | failed | skipped */
export type StepStatus = 'pending' | 'running' | 'succeeded' | 'failed' | 'skipped';

export interface Step {
  id: string;
  status: StepStatus;
}

/** running -> succeeded | failed | cancelled */
export interface WorkflowState {
  workflow_id: WorkflowId;
  kind: WorkflowKind;
  target: WorkflowTarget;
  project_id: ProjectId | null;
  deadline: string;
  status: 'running' | 'succeeded' | 'failed' | 'cancelled';
  cancel_requested: boolean;
  /** False: it can never be cancelled. */
  cancellable: boolean;
  /** Whether something has failed, so that it takes back what it did. */
  failing: boolean;
  steps: readonly Step[];
  eta_minutes: number | null;
  /** The newest result of each type that a service has sent. */
  results: Readonly<Record<string, unknown>>;
  /** Whether it is taking back what it did. */
  undoing: boolean;
  /** The calls that were answered. */
  answered: readonly string[];
}

const started = (data: Extract<WorkflowFact, { type: 'WorkflowStarted' }>['data']): WorkflowState => ({
  workflow_id: data.workflow_id,
  kind: data.kind,
  target: data.target,
  project_id: data.project_id,
  deadline: data.deadline,
  status: 'running',
  cancel_requested: false,
  cancellable: data.cancellable ?? true,
  failing: false,
  undoing: false,
  steps: data.steps.map(({ id }) => ({ id, status: 'pending' })),
  eta_minutes: null,
  results: {},
  answered: [],
});

export const isOver = ({ status }: Step): boolean =>
  status === 'succeeded' || status === 'failed' || status === 'skipped';

/** How a step ends that is not over when the workflow is undone. */
const brokenOff = ({ status }: Step): StepStatus => (status === 'running' ? 'failed' : 'skipped');

const withStep = (state: WorkflowState, id: string, status: StepStatus): WorkflowState => ({
  ...state,
  steps: state.steps.map((step) => (step.id === id ? { id, status } : step)),
});

const evolve = (state: WorkflowState | null, event: Recorded<WorkflowFact>): WorkflowState | null => {
  if (event.type === 'WorkflowStarted') return started(event.data);
  if (!state) return null;
  switch (event.type) {
    case 'WorkflowStepStarted':
      return withStep(state, event.data.step, 'running');
    case 'WorkflowStepSucceeded':
      return withStep(state, event.data.step, 'succeeded');
    case 'WorkflowStepFailed':
      return withStep({ ...state, failing: true }, event.data.step, 'failed');
    case 'WorkflowStepSkipped':
      return withStep(state, event.data.step, 'skipped');
    case 'WorkflowStepRetried':
      return withStep({ ...state, deadline: event.data.deadline }, event.data.step, 'running');
    case 'WorkflowUndoStarted': {
      const steps = state.steps.map((step) => (isOver(step) ? step : { id: step.id, status: brokenOff(step) }));
      const more = event.data.steps.map(({ id }) => ({ id, status: 'pending' as const }));
      return { ...state, undoing: true, deadline: event.data.deadline, steps: [...steps, ...more] };
    }
    case 'WorkflowEtaReported':
      return { ...state, eta_minutes: event.data.eta_minutes };
    case 'WorkflowResultReceived':
      return { ...state, results: { ...state.results, [event.data.result_type]: event.data.result } };
    case 'WorkflowCancelRequested':
      return { ...state, cancel_requested: true };
    case 'WorkflowSucceeded':
      return { ...state, status: 'succeeded' };
    case 'WorkflowFailed':
      return { ...state, status: 'failed' };
    case 'WorkflowCancelled':
      return { ...state, status: 'cancelled' };
    case 'WorkflowCallAnswered': {
      const { answered } = state;
      return answered.includes(event.data.call) ? state : { ...state, answered: [...answered, event.data.call] };
    }
    case 'WorkflowCallFailed':
      return { ...state, failing: true };
    case 'WorkflowTimerFired':
      return event.data.timer === 'deadline' ? { ...state, failing: true } : state;
    case 'WorkflowCommandRefused':
    case 'WorkflowMessageIgnored':
    case 'WorkflowParkedWorkResumed':
      return state;
  }
};

export const workflow: Aggregate<WorkflowState, WorkflowFact> = {
  area: 'workflow',
  evolve,
  isGone: () => false,
  nameOf: () => null,
};

export const { change: workflowCommand, create: workflowCreation } = commandsOn(workflow);
