import { countWorkers, type EndpointReport, toObserved, toWorkers } from '../../commands/endpoint/endpoint-report.ts';
import { recordEndpointReport } from '../../commands/endpoint/internal/record-endpoint-report.ts';
import { recordEndpointScaled } from '../../commands/endpoint/internal/record-endpoint-scaled.ts';
import { completeWorkflowStep } from '../../commands/workflow/internal/complete-workflow-step.ts';
import { startWorkflowStep } from '../../commands/workflow/internal/start-workflow-step.ts';
import { type ReportedWorker, WorkersAnswer } from '../../contracts/budcluster.ts';
import { parseResult } from '../../contracts/notification.ts';
import type { Recorded } from '../../events/catalog.ts';
import { abortOf, failed } from '../abort.ts';
import {
  after,
  ask,
  call,
  cancelTimer,
  changeOf,
  end,
  type Intent,
  type Process,
  type Reaction,
  timer,
} from '../process.ts';
import { begin, reportTo, requesterOf, succeed } from '../workflow-intents.ts';
import { deployRequest, locate } from './deployment-calls.ts';
import { type In, type ScalingSpec, ScalingState } from './scaling-state.ts';
import { count, reactUndoingScaling, reserve, stopScaling, undoScaling } from './scaling-undo.ts';

type Reacted = Reaction<ScalingState>;
type Requested = Extract<Recorded, { type: 'EndpointScalingRequested' }>;

const UP_STEPS = {
  verify_cluster_connection: 'Connect to the cluster',
  transfer_model_to_cluster: 'Transfer the model to the cluster',
  deploy_to_engine: 'Start the replicas',
  verify_deployment_status: 'Wait until the replicas are ready',
  run_performance_benchmark: 'Measure the performance',
};
const REMOVE = 'delete_worker';
/** From its start on the scaling cannot be cancelled. */
const CONFIRM = 'confirm_replicas';
const DOWN_STEPS = { [REMOVE]: 'Stop surplus replicas', [CONFIRM]: 'Confirm the number of replicas' };
const RECOUNT = 'recount';
const RECOUNT_SECONDS = 3;

/**
 *     (requested) --up----> reserving -> adding --------------------.
 *          |                                                        |-> recording -> (scaled)
 *          '------down----> removing <-> (count) --> confirming ----'
 *
 *     failed, late, cancelled, from every phase --> undoing --> (as before, with the replicas that there are)
 *
 * What a scaling that was undone has left is not what is desired: the endpoint is degraded then, and is repaired.
 * Replicas are removed one at a time and recounted on the cluster in between, because messages about them cannot be told apart.
 */
export const createEndpointScaling = ({
  objectUri,
}: {
  objectUri: (key: string) => string;
}): Process<ScalingState> => ({
  name: 'endpoint-scaling',
  state: ScalingState,
  workflowOf: changeOf,
  react: (state, event) => {
    if (state) return react(state, event);
    return event.type === 'EndpointScalingRequested' ? start(event, objectUri) : null;
  },
});

const start = (event: Requested, objectUri: (key: string) => string): Reacted => {
  const { model_source, project_id, ...data } = event.data;
  const user_id = requesterOf(event);
  const wanted: ScalingSpec = { ...data, user_id, ...locate(model_source, objectUri) };
  const { workflow_id, endpoint_id, name, deadline, replicas } = data;
  const target = { area: 'endpoint', id: endpoint_id, name } as const;
  const isUp = replicas > data.previous_replicas;
  const steps = isUp ? UP_STEPS : DOWN_STEPS;
  const begun = begin({ workflow_id, user_id, kind: 'endpoint-scaling', target, project_id, steps, deadline });
  return isUp
    ? { state: { phase: 'reserving', wanted }, intents: [...begun, reserve(wanted, replicas)] }
    : { state: { phase: 'removing', wanted, worker_id: null }, intents: [...begun, count(wanted, wanted.deadline)] };
};

const react = (state: ScalingState, event: Recorded): Reacted | null => {
  if (event.type === 'EndpointDeletionRequested') return stopScaling(state, event);
  switch (state.phase) {
    case 'reserving':
      return reactReserving(state, event) ?? giveUpOn(state, event);
    case 'adding':
      return reactAdding(state, event) ?? giveUpOn(state, event);
    case 'removing':
      return reactRemoving(state, event) ?? giveUpOn(state, event);
    case 'confirming':
      return reactConfirming(state, event) ?? giveUpOn(state, event);
    case 'recording':
      return reactRecording(state, event);
    case 'undoing':
      return reactUndoingScaling(state, event);
  }
};

const giveUpOn = (state: Exclude<ScalingState, { phase: 'undoing' }>, event: Recorded): Reacted | null => {
  const abort = abortOf(event);
  return abort ? undoScaling(state, event, abort) : null;
};

const reactReserving = ({ wanted }: In<'reserving'>, event: Recorded): Reacted | null => {
  if (event.type !== 'CapacityReserved') return null;
  const { bud_cluster_id, simulator_id, namespace, deadline } = wanted;
  const addition = wanted.replicas - wanted.previous_replicas;
  const request = {
    ...deployRequest(wanted, { bud_cluster_id, simulator_id, replicas: addition }),
    // The contract reads this as the number of added replicas, where a deployment exists already.
    concurrency: addition,
    existing_deployment_namespace: namespace,
  };
  return {
    state: { phase: 'adding', wanted, service_workflow_id: null },
    intents: [call('cluster.add-worker', request, { give_up_at: deadline })],
  };
};

const record = (wanted: ScalingSpec, observed: EndpointReport, before: Intent[]): Reacted => {
  const { endpoint_id, workflow_id } = wanted;
  const isShort = observed.replicas.available < wanted.replicas;
  return {
    state: { phase: 'recording', wanted },
    intents: [
      ...before,
      ask(recordEndpointScaled, { endpoint_id, workflow_id, ...observed }),
      ...(isShort ? [ask(recordEndpointReport, { endpoint_id, status: 'unknown', ...observed })] : []),
    ],
  };
};

const reactAdding = (state: In<'adding'>, event: Recorded): Reacted | null => {
  if (event.type === 'WorkflowCallAnswered' && event.data.call === 'cluster.add-worker') {
    return { state: { ...state, service_workflow_id: event.data.service_workflow_id }, intents: [] };
  }
  if (event.type !== 'WorkflowResultReceived' || event.data.result_type !== 'add_worker') return null;
  const status = parseResult('add_worker', event.data.result)?.deployment_status;
  if (status?.status === 'ready') return record(state.wanted, toObserved(status), []);
  const how = status?.status ?? 'not known';
  return undoScaling(state, event, failed('scaling-failed', `The cluster reports the deployment as ${how}.`));
};

/** Replicas that do not run are removed first, then the youngest by name: the oldest are known to work. */
const leastUseful = (workers: readonly ReportedWorker[]): string | null => {
  const rank = ({ status }: ReportedWorker) => (status?.toLowerCase() === 'running' ? 1 : 0);
  const named = workers.filter(({ id, name }) => id ?? name);
  const [worker] = named.toSorted((a, b) => rank(a) - rank(b) || (b.name ?? '').localeCompare(a.name ?? ''));
  return worker?.id ?? worker?.name ?? null;
};

const reactRemoving = (state: In<'removing'>, event: Recorded): Reacted | null => {
  const { wanted } = state;
  if (event.type === 'WorkflowTimerFired' && event.data.timer === RECOUNT)
    return { state, intents: [count(wanted, wanted.deadline)] };
  if (event.type !== 'WorkflowCallAnswered' || event.data.call !== 'cluster.list-workers') return null;
  const answer = WorkersAnswer.safeParse(event.data.answer);
  if (!answer.success) {
    return undoScaling(state, event, failed('scaling-failed', 'The cluster could not list its replicas.'));
  }
  const { workers } = answer.data;
  if (workers.length <= wanted.replicas) {
    const known = toWorkers(workers);
    const observed = { replicas: countWorkers(known), ingress_healthy: null, workers: known };
    const { workflow_id, deadline } = wanted;
    const message = `${workers.length} replicas are left`;
    return {
      state: { phase: 'confirming', wanted, observed },
      intents: [
        cancelTimer(RECOUNT),
        ask(completeWorkflowStep, { workflow_id, step: REMOVE, message }),
        ask(startWorkflowStep, { workflow_id, step: CONFIRM, message, deadline }),
      ],
    };
  }
  const again = timer(RECOUNT, after(event.at, RECOUNT_SECONDS));
  // The replica that was removed last is still listed. Removing one at a time never removes too many.
  if (workers.some(({ id, name }) => (id ?? name) === state.worker_id)) return { state, intents: [again] };
  const worker_id = leastUseful(workers);
  if (worker_id === null)
    return undoScaling(state, event, failed('scaling-failed', 'The cluster does not name its replicas.'));
  const request = { worker_id, ...reportTo(wanted.workflow_id, wanted.user_id) };
  return {
    state: { ...state, worker_id },
    intents: [call('cluster.delete-worker', request, { give_up_at: wanted.deadline }), again],
  };
};

const reactConfirming = ({ wanted, observed }: In<'confirming'>, event: Recorded): Reacted | null => {
  const isStarted = event.type === 'WorkflowStepStarted' && event.data.step === CONFIRM;
  // The workflow of a scaling that an earlier version began has no such step.
  const isUnknown = event.type === 'WorkflowCommandRefused' && event.data.command === startWorkflowStep.type;
  return isStarted || isUnknown ? record(wanted, observed, [reserve(wanted, wanted.replicas)]) : null;
};

const reactRecording = (state: In<'recording'>, event: Recorded): Reacted | null => {
  const { workflow_id } = state.wanted;
  if (event.type === 'EndpointScaled') {
    const message = `${event.data.replicas.available} replicas are available`;
    const isDown = state.wanted.replicas < state.wanted.previous_replicas;
    const confirmed = isDown ? [ask(completeWorkflowStep, { workflow_id, step: CONFIRM, message })] : [];
    return { state, intents: [...confirmed, succeed(workflow_id), end()] };
  }
  if (event.type !== 'WorkflowCommandRefused' || event.data.command !== recordEndpointScaled.type) return null;
  return undoScaling(state, event, { reason: event.data.reason, ending: 'failed' });
};
