import { reserveCapacity } from '../../commands/cluster/internal/reserve-capacity.ts';
import { toObserved, toPaths, toWorkersReport } from '../../commands/endpoint/endpoint-report.ts';
import { recordEndpointRepaired } from '../../commands/endpoint/internal/record-endpoint-repaired.ts';
import { reconcile } from '../../commands/endpoint/reconcile.ts';
import { type ReportedWorker, WorkersAnswer } from '../../contracts/budcluster.ts';
import { type DeploymentResult, parseResult } from '../../contracts/notification.ts';
import type { Recorded } from '../../events/catalog.ts';
import { timesResources } from '../../events/resources.ts';
import { abortOf, failed } from '../abort.ts';
import {
  after,
  ask,
  call,
  cancelTimer,
  end,
  type Intent,
  type Process,
  type Reaction,
  timer,
  workflowOf,
} from '../process.ts';
import { begin, reportTo, succeed } from '../workflow-intents.ts';
import { deployRequest, locate } from './deployment-calls.ts';
import { type In, type Repairing, type RepairSpec, RepairState } from './repair-state.ts';
import { giveUp, reactOver, supersede } from './repair-undo.ts';

type Reacted = Reaction<RepairState>;
type Requested = Extract<Recorded, { type: 'EndpointRepairRequested' }>;

const ADD_STEPS = {
  verify_cluster_connection: 'Connect to the cluster',
  transfer_model_to_cluster: 'Transfer the model to the cluster',
  deploy_to_engine: 'Start the replicas',
  verify_deployment_status: 'Wait until the replicas are ready',
  run_performance_benchmark: 'Measure the performance',
};
const REMOVE_STEPS = { delete_worker: 'Stop surplus replicas' };
const RECOUNT = 'recount';
const RECOUNT_SECONDS = 3;

const FACTS: ReadonlySet<string> = new Set([
  'EndpointRepairRequested',
  'EndpointRepaired',
  'EndpointScalingRequested',
  'EndpointDeletionRequested',
  'EndpointDeleted',
]);

/**
 *     (requested) --the namespace is gone--> deploying ----------.
 *          |                                                      |-> recording -> (repaired)
 *          '--> counting <--missing--> adding                     |
 *                |   ^--surplus--> (remove one, recount)          |
 *                '--as desired-----------------------------------'
 *
 *     failed, late, cancelled: (the repair has failed, and is tried again later)  -> over
 *     scaled or deleted by somebody: (cancelled)                                  -> over
 *
 * One instance for each endpoint, which follows one repair after the other. What the cluster service is still doing for a
 * repair that is over is cancelled, and a deployment that comes of it nevertheless is deleted. Replicas that come of it are
 * counted by the next repair. The domain decides whether there is a repair: `RequestEndpointRepair`.
 */
export const createEndpointRepair = ({ objectUri }: { objectUri: (key: string) => string }): Process<RepairState> => ({
  name: 'endpoint-repair',
  state: RepairState,
  keyed_by: { field: 'endpoint_id', types: FACTS },
  follows: ({ repair }) => repair?.wanted.workflow_id ?? null,
  // A change of the endpoint names its own workflow, not the repair that it ends.
  workflowOf: (event) => (FACTS.has(event.type) ? null : workflowOf(event)),
  react: (state, event) => {
    const repair = state?.repair ?? null;
    if (event.type === 'EndpointRepairRequested') return start(repair, event, objectUri);
    if (event.type === 'EndpointDeleted') return repair || !state ? null : { state, intents: [end()] };
    if (!repair) return null;
    if (event.type === 'EndpointScalingRequested') return supersede(repair, event, 'The endpoint is being scaled.');
    if (event.type === 'EndpointDeletionRequested') return supersede(repair, event, 'The endpoint is being deleted.');
    if (event.type === 'EndpointRepaired') return onRepaired(repair, event);
    return workflowOf(event) === repair.wanted.workflow_id ? react(repair, event) : null;
  },
});

const count = ({ bud_cluster_id, namespace, deadline }: RepairSpec): Intent =>
  call(
    'cluster.list-workers',
    { cluster_id: bud_cluster_id, namespace, refresh: true, limit: 100 },
    { give_up_at: deadline },
  );

const start = (before: Repairing | null, event: Requested, objectUri: (key: string) => string): Reacted => {
  const { model_source, project_id, redeploy, missing, attempt: _attempt, ...data } = event.data;
  const wanted: RepairSpec = { ...data, ...locate(model_source, objectUri) };
  const { workflow_id, user_id, endpoint_id, name, deadline, replicas, cluster_id, resources_per_replica } = wanted;
  const target = { area: 'endpoint', id: endpoint_id, name } as const;
  const steps = missing > 0 ? ADD_STEPS : REMOVE_STEPS;
  const resources = timesResources(resources_per_replica, replicas);
  const ending = before ? supersede(before, event, 'The endpoint is repaired anew.') : null;
  const intents = [
    ...begin({ workflow_id, user_id, kind: 'endpoint-repair', target, project_id, steps, deadline }),
    // Changes nothing where the reservation is as it should be.
    ask(reserveCapacity, { cluster_id, endpoint_id, workflow_id, replicas, resources }),
    // Not earlier: from now on outcomes are recorded in the new workflow, which must have started.
    ...(ending?.intents ?? []),
  ];
  if (!redeploy) {
    const repair: Repairing = { phase: 'counting', wanted, added: false, worker_id: null };
    return { state: { repair }, intents: [...intents, count(wanted)] };
  }
  const deploy = call('cluster.deploy', deployRequest(wanted, wanted), { give_up_at: deadline });
  return {
    state: { repair: { phase: 'deploying', wanted, service_workflow_id: null } },
    intents: [...intents, deploy],
  };
};

const react = (repair: Repairing, event: Recorded): Reacted | null => {
  if (repair.phase === 'over') return reactOver(repair, event);
  const reacted = reactIn(repair, event);
  if (reacted) return reacted;
  // Of the repair before, which it does not take back any more: that does not stop this one.
  if (event.type === 'WorkflowCallFailed' && event.data.call === 'cluster.cancel-deployment') return null;
  const abort = abortOf(event);
  return abort && giveUp(repair, event, abort);
};

const reactIn = (repair: Exclude<Repairing, { phase: 'over' }>, event: Recorded): Reacted | null => {
  switch (repair.phase) {
    case 'counting':
      return reactCounting(repair, event);
    case 'adding':
      return reactAdding(repair, event);
    case 'deploying':
      return reactDeploying(repair, event);
    case 'recording':
      return null;
  }
};

const reactCounting = (repair: In<'counting'>, event: Recorded): Reacted | null => {
  const { wanted } = repair;
  if (event.type === 'WorkflowTimerFired' && event.data.timer === RECOUNT) {
    return { state: { repair }, intents: [count(wanted)] };
  }
  if (event.type !== 'WorkflowCallAnswered' || event.data.call !== 'cluster.list-workers') return null;
  const answer = WorkersAnswer.safeParse(event.data.answer);
  if (!answer.success) {
    return giveUp(repair, event, failed('repair-failed', 'The cluster could not list its replicas.'));
  }
  const { workers } = answer.data;
  const { missing, surplus } = reconcile({ desired: wanted.replicas, known: wanted.known_workers }, workers);
  if (missing > 0) return add(repair, event, missing);
  if (surplus.length > 0) return remove(repair, event, { surplus, workers });
  const { status: _status, ...observed } = toWorkersReport(workers, { status: 'unknown', ingress_healthy: null });
  const { endpoint_id, workflow_id } = wanted;
  return {
    state: { repair: { phase: 'recording', wanted, moved_to: null } },
    intents: [
      cancelTimer(RECOUNT),
      ask(recordEndpointRepaired, { endpoint_id, workflow_id, deployment: null, ...observed }),
    ],
  };
};

const add = (repair: In<'counting'>, event: Recorded, missing: number): Reacted => {
  const { wanted, added } = repair;
  if (added) {
    return giveUp(repair, event, failed('repair-failed', `${missing} replicas are missing after they were added.`));
  }
  const request = {
    ...deployRequest(wanted, { ...wanted, replicas: missing }),
    // The contract reads this as the number of added replicas, where a deployment exists already.
    concurrency: missing,
    existing_deployment_namespace: wanted.namespace,
  };
  return {
    state: { repair: { phase: 'adding', wanted, service_workflow_id: null } },
    intents: [cancelTimer(RECOUNT), call('cluster.add-worker', request, { give_up_at: wanted.deadline })],
  };
};

/** Replicas are removed one at a time and recounted in between: removing too many is worse than taking a moment longer. */
const remove = (
  repair: In<'counting'>,
  event: Recorded,
  { surplus, workers }: { surplus: readonly string[]; workers: readonly ReportedWorker[] },
): Reacted => {
  const { wanted } = repair;
  const again = timer(RECOUNT, after(event.at, RECOUNT_SECONDS));
  const [worker_id = null] = surplus;
  const isLeaving = workers.some(({ id, name }) => (id || name) === repair.worker_id);
  if (worker_id === null || isLeaving) return { state: { repair }, intents: [again] };
  const request = { worker_id, ...reportTo(wanted.workflow_id, wanted.user_id) };
  return {
    state: { repair: { ...repair, worker_id } },
    intents: [call('cluster.delete-worker', request, { give_up_at: wanted.deadline }), again],
  };
};

const reactAdding = (repair: In<'adding'>, event: Recorded): Reacted | null => {
  const { wanted } = repair;
  if (event.type === 'WorkflowCallAnswered' && event.data.call === 'cluster.add-worker') {
    const { service_workflow_id } = event.data;
    return { state: { repair: { ...repair, service_workflow_id } }, intents: [] };
  }
  if (event.type !== 'WorkflowResultReceived' || event.data.result_type !== 'add_worker') return null;
  const status = parseResult('add_worker', event.data.result)?.deployment_status?.status;
  if (!status) return giveUp(repair, event, failed('repair-failed', 'The cluster could not add the replicas.'));
  return {
    state: { repair: { phase: 'counting', wanted, added: true, worker_id: null } },
    intents: [count(wanted)],
  };
};

const reactDeploying = (repair: In<'deploying'>, event: Recorded): Reacted | null => {
  if (event.type === 'WorkflowCallAnswered' && event.data.call === 'cluster.deploy') {
    const { service_workflow_id } = event.data;
    return { state: { repair: { ...repair, service_workflow_id } }, intents: [] };
  }
  if (event.type !== 'WorkflowResultReceived' || event.data.result_type !== 'deploy_model') return null;
  const result = parseResult('deploy_model', event.data.result);
  return result
    ? takeResult(repair, event, result)
    : giveUp(repair, event, failed('repair-failed', 'The cluster could not deploy the model again.'));
};

const takeResult = (repair: In<'deploying'>, event: Recorded, result: DeploymentResult): Reacted => {
  const { wanted } = repair;
  const { namespace, deployment_status: status } = result;
  const url = result.result?.deployment_url;
  const recording = { phase: 'recording', wanted, moved_to: namespace } as const;
  if (status?.status !== 'ready' || !url) {
    const how = status?.status ?? 'not known';
    return giveUp(recording, event, failed('repair-failed', `The cluster reports the new deployment as ${how}.`));
  }
  const paths = toPaths(result.supported_endpoints);
  const supported_endpoints = paths.length > 0 ? paths : toPaths(status.supported_endpoints);
  const { endpoint_id, workflow_id, bud_cluster_id } = wanted;
  const deployment = { bud_cluster_id, namespace, url, supported_endpoints };
  const done = ask(recordEndpointRepaired, { endpoint_id, workflow_id, deployment, ...toObserved(status) });
  return { state: { repair: recording }, intents: [done] };
};

const onRepaired = (
  { wanted: { workflow_id } }: Repairing,
  { data }: Extract<Recorded, { type: 'EndpointRepaired' }>,
): Reacted | null =>
  data.workflow_id === workflow_id ? { state: { repair: null }, intents: [succeed(workflow_id)] } : null;
