import { reserveCapacity } from '../../commands/cluster/internal/reserve-capacity.ts';
import { DEPLOYMENT_MISSING } from '../../commands/endpoint/degradation.ts';
import { toWorkersReport } from '../../commands/endpoint/endpoint-report.ts';
import { failEndpointScaling } from '../../commands/endpoint/internal/fail-endpoint-scaling.ts';
import { recordEndpointCleanupPending } from '../../commands/endpoint/internal/record-endpoint-cleanup-pending.ts';
import { recordEndpointReport } from '../../commands/endpoint/internal/record-endpoint-report.ts';
import { completeWorkflowStep } from '../../commands/workflow/internal/complete-workflow-step.ts';
import { retryWorkflowStep } from '../../commands/workflow/internal/retry-workflow-step.ts';
import { type ReportedWorker, WorkersAnswer } from '../../contracts/budcluster.ts';
import type { Recorded } from '../../events/catalog.ts';
import { timesResources } from '../../events/resources.ts';
import { type Abort, SUPERSEDED } from '../abort.ts';
import { abandonCalls, after, ask, call, cancelTimer, end, type Intent, type Reaction, timer } from '../process.ts';
import { attemptSeconds, UNDO } from '../removal.ts';
import { beginUndo, giveUpWorkflow } from '../workflow-intents.ts';
import type { In, ScalingSpec, ScalingState } from './scaling-state.ts';

type Reacted = Reaction<ScalingState>;

const STEP = 'undo_scaling';
const STEPS = { [STEP]: 'Stop the scaling and count the replicas' };

export const reserve = (wanted: ScalingSpec, replicas: number): Intent => {
  const { cluster_id, endpoint_id, workflow_id } = wanted;
  const resources = timesResources(wanted.resources_per_replica, replicas);
  return ask(reserveCapacity, { cluster_id, endpoint_id, workflow_id, replicas, resources });
};

export const count = ({ bud_cluster_id, namespace }: ScalingSpec, give_up_at: string): Intent =>
  call('cluster.list-workers', { cluster_id: bud_cluster_id, namespace, refresh: true, limit: 100 }, { give_up_at });

const cancel = (workflow_id: string, give_up_at: string): Intent =>
  call('cluster.cancel-deployment', { workflow_id }, { give_up_at });

/** Stops what the cluster service still does, then counts what is there. */
const attempt = (state: In<'undoing'>, until: string): Intent[] => [
  state.service_workflow_id === null ? count(state.wanted, until) : cancel(state.service_workflow_id, until),
  timer(UNDO, until),
];

const pendingReason = ({ reason: { message } }: Abort) => ({
  code: 'cleanup-pending',
  message: `${message} The replicas that the cluster has now are counted, as often as that takes; the capacity stays reserved.`,
});

/** Begins to undo: the number of replicas is what it was before, and the cluster says how many there are. */
export const undoScaling = (
  state: Exclude<ScalingState, { phase: 'undoing' }>,
  event: Recorded,
  abort: Abort,
): Reacted => {
  const { wanted } = state;
  const { endpoint_id, workflow_id } = wanted;
  const service_workflow_id = state.phase === 'adding' ? state.service_workflow_id : null;
  const deadline = after(event.at, attemptSeconds(1));
  const undoing = { phase: 'undoing', wanted, abort, service_workflow_id, attempt: 1 } as const;
  return {
    state: undoing,
    intents: [
      abandonCalls(),
      ...beginUndo(workflow_id, { reason: abort.reason, steps: STEPS, deadline }),
      ask(recordEndpointCleanupPending, { endpoint_id, workflow_id, reason: pendingReason(abort), deadline }),
      ...attempt(undoing, deadline),
    ],
  };
};

export const reactUndoingScaling = (state: In<'undoing'>, event: Recorded): Reacted | null => {
  switch (event.type) {
    case 'WorkflowTimerFired':
      return event.data.timer === UNDO ? again(state, event.at) : null;
    case 'WorkflowCallAnswered':
      return onAnswer(state, event);
    case 'WorkflowCallFailed': {
      if (event.data.status !== 404) return null;
      if (event.data.call === 'cluster.cancel-deployment') return stopped(state, event.at);
      return event.data.call === 'cluster.list-workers' ? settle(state, null) : null;
    }
    default:
      return null;
  }
};

const again = (state: In<'undoing'>, at: string): Reacted => {
  const { wanted, abort } = state;
  const { endpoint_id, workflow_id } = wanted;
  const next = { ...state, attempt: state.attempt + 1 };
  const deadline = after(at, attemptSeconds(next.attempt));
  const reason = pendingReason(abort);
  return {
    state: next,
    intents: [
      abandonCalls(),
      ask(recordEndpointCleanupPending, { endpoint_id, workflow_id, reason, deadline }),
      ask(retryWorkflowStep, { workflow_id, step: STEP, reason, deadline }),
      ...attempt(next, deadline),
    ],
  };
};

const stopped = (state: In<'undoing'>, at: string): Reacted => ({
  state: { ...state, service_workflow_id: null },
  intents: [count(state.wanted, after(at, attemptSeconds(state.attempt)))],
});

const onAnswer = (
  state: In<'undoing'>,
  { data, at }: Extract<Recorded, { type: 'WorkflowCallAnswered' }>,
): Reacted | null => {
  switch (data.call) {
    // Only the answer says which workflow of the service to stop.
    case 'cluster.add-worker': {
      if (data.service_workflow_id === null) return null;
      const next = { ...state, service_workflow_id: data.service_workflow_id };
      return { state: next, intents: attempt(next, after(at, attemptSeconds(state.attempt))) };
    }
    case 'cluster.cancel-deployment':
      return stopped(state, at);
    case 'cluster.list-workers': {
      const answer = WorkersAnswer.safeParse(data.answer);
      return answer.success && state.service_workflow_id === null ? settle(state, answer.data.workers) : null;
    }
    default:
      return null;
  }
};

/** Shows what there is; null: the cluster does not know the deployment. Where it is not what is desired, the report makes the endpoint degraded, and it is repaired. */
const settle = ({ phase: _phase, ...state }: In<'undoing'>, listed: readonly ReportedWorker[] | null): Reacted => {
  const { wanted, abort } = state;
  const { endpoint_id, workflow_id, previous_replicas } = wanted;
  const status = listed === null ? DEPLOYMENT_MISSING : 'unknown';
  const report = toWorkersReport(listed ?? [], { status, ingress_healthy: null });
  const { status: _status, ...observed } = report;
  const message = `${observed.replicas.available} replicas are available, ${previous_replicas} are desired`;
  return {
    state: { ...state, phase: 'undoing' },
    intents: [
      abandonCalls(),
      cancelTimer(UNDO),
      reserve(wanted, previous_replicas),
      ask(completeWorkflowStep, { workflow_id, step: STEP, message }),
      ask(failEndpointScaling, { endpoint_id, workflow_id, reason: abort.reason, observed }),
      ask(recordEndpointReport, { endpoint_id, ...report }),
      giveUpWorkflow(workflow_id, abort),
      end(),
    ],
  };
};

/** The endpoint is being deleted, with all replicas that there are. */
export const stopScaling = (state: ScalingState, event: Recorded): Reacted => {
  const { endpoint_id, workflow_id } = state.wanted;
  const theirs = 'service_workflow_id' in state ? state.service_workflow_id : null;
  return {
    state,
    intents: [
      abandonCalls(),
      ask(failEndpointScaling, { endpoint_id, workflow_id, reason: SUPERSEDED.reason }),
      giveUpWorkflow(workflow_id, SUPERSEDED),
      // Last, since nothing waits for it: the deletion removes all replicas.
      ...(theirs === null ? [] : [cancel(theirs, after(event.at, attemptSeconds(1)))]),
      end(),
    ],
  };
};
