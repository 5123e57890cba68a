import { DEFAULT_DEADLINES } from '../../commands/deadlines.ts';
import { toObserved, toPaths } from '../../commands/endpoint/endpoint-report.ts';
import { beginPlacement } from '../../commands/endpoint/internal/begin-placement.ts';
import { recordEndpointDeployed } from '../../commands/endpoint/internal/record-endpoint-deployed.ts';
import { completeWorkflowStep } from '../../commands/workflow/internal/complete-workflow-step.ts';
import { startWorkflowStep } from '../../commands/workflow/internal/start-workflow-step.ts';
import { type DeploymentResult, parseResult } from '../../contracts/notification.ts';
import type { Recorded } from '../../events/catalog.ts';
import { abortOf, failed, SUPERSEDED } from '../abort.ts';
import { after, ask, call, changeOf, end, type Process, type Reaction, timer } from '../process.ts';
import { begin, requesterOf, succeed } from '../workflow-intents.ts';
import { deployRequest, locate, simulationRequest } from './deployment-calls.ts';
import { giveUpPlacing, PLACEMENT, reactLookingUp, reactReserving, reactSimulating } from './deployment-placement.ts';
import { DeploymentState, type EndpointSpec, type In } from './deployment-state.ts';
import { reactOver, reactUndoing, undo } from './deployment-undo.ts';

type Reacted = Reaction<DeploymentState>;
type Requested = Extract<Recorded, { type: 'EndpointRequested' }>;

const STEPS = {
  validation: 'Check the request',
  performance_estimation: 'Estimate the performance on each cluster',
  ranking: 'Rank the clusters',
  reserve_capacity: 'Reserve capacity',
  verify_cluster_connection: 'Connect to the cluster',
  transfer_model_to_cluster: 'Transfer the model to the cluster',
  deploy_to_engine: 'Start the replicas',
  verify_deployment_status: 'Wait until the replicas are ready',
  run_performance_benchmark: 'Measure the performance',
  confirm_running: 'Confirm that the endpoint runs',
};

const earlier = (a: string, b: string): string => (Date.parse(a) < Date.parse(b) ? a : b);

export interface DeploymentOptions {
  objectUri(key: string): string;
  /** The time within which a cluster must be found. */
  placement_seconds?: number;
}

/**
 *     (requested) -> simulating -> looking-up -> reserving -> placing -> deploying -> recording -> (running)
 *                        |             |          ^  |           |           |            |
 *                        |             |          '--' next      |           '------------'--- undoing
 *                        '-------------'-------------'-----------'                                |
 *                                      failed, late, cancelled                                    |
 *                                      '------------------------------> over <-------------------'
 *
 * undoing: the deployment is cancelled or deleted on the cluster, until that confirms that nothing is left. over: capacity and name are released, and the workflow
 * has ended.
 */
export const createModelDeployment = (options: DeploymentOptions): Process<DeploymentState> => ({
  name: 'model-deployment',
  state: DeploymentState,
  workflowOf: changeOf,
  react: (state, event) => {
    if (state) return react(state, event);
    return event.type === 'EndpointRequested' ? start(event, options) : null;
  },
});

const start = (
  event: Requested,
  { objectUri, placement_seconds = DEFAULT_DEADLINES.placement }: DeploymentOptions,
): Reacted => {
  const { data } = event;
  const { workflow_id, endpoint_id, project_id, name, deadline } = data;
  const user_id = requesterOf(event);
  const placed_by = earlier(after(event.at, placement_seconds), deadline);
  const wanted: EndpointSpec = {
    workflow_id,
    user_id,
    endpoint_id,
    project_id,
    model_id: data.model_id,
    name,
    ...locate(data.model_source, objectUri),
    replicas: data.replicas,
    resources_per_replica: data.resources_per_replica,
    deploy_config: data.deploy_config,
    bud_cluster_id: data.bud_cluster_id,
    deadline,
  };
  const target = { area: 'endpoint', id: endpoint_id, name } as const;
  return {
    state: { phase: 'simulating', wanted, simulator_id: null, candidates: null },
    intents: [
      ...begin({ workflow_id, user_id, kind: 'endpoint-deployment', target, project_id, steps: STEPS, deadline }),
      timer(PLACEMENT, placed_by),
      ask(beginPlacement, { endpoint_id, workflow_id, deadline: placed_by }),
      call('simulator.run', simulationRequest(wanted, data.bud_cluster_id), { give_up_at: placed_by }),
    ],
  };
};

const react = (state: DeploymentState, event: Recorded): Reacted | null => {
  switch (state.phase) {
    case 'simulating':
      return reactSimulating(state, event) ?? giveUpPlacing(state, event);
    case 'looking-up':
      return reactLookingUp(state, event) ?? giveUpPlacing(state, event);
    case 'reserving':
      return reactReserving(state, event) ?? giveUpPlacing(state, event);
    case 'placing':
      return reactPlacing(state, event) ?? giveUpPlacing(state, event);
    case 'deploying':
      return reactDeploying(state, event);
    case 'recording':
      return reactRecording(state, event);
    case 'undoing':
      return reactUndoing(state, event);
    case 'over':
      return reactOver(state, event);
  }
};

const reactPlacing = (state: In<'placing'>, event: Recorded): Reacted | null => {
  if (event.type !== 'EndpointPlaced') return null;
  const { wanted, option, simulator_id } = state;
  const { bud_cluster_id } = option;
  const request = deployRequest(wanted, { bud_cluster_id, simulator_id, replicas: wanted.replicas });
  return {
    state: { ...state, phase: 'deploying', service_workflow_id: null },
    intents: [call('cluster.deploy', request, { give_up_at: wanted.deadline })],
  };
};

const reactDeploying = (state: In<'deploying'>, event: Recorded): Reacted | null => {
  if (event.type === 'WorkflowCallAnswered' && event.data.call === 'cluster.deploy') {
    return { state: { ...state, service_workflow_id: event.data.service_workflow_id }, intents: [] };
  }
  if (event.type === 'WorkflowResultReceived' && event.data.result_type === 'deploy_model') {
    const result = parseResult('deploy_model', event.data.result);
    if (result) return takeResult(state, event, result);
    const abort = failed('deployment-failed', 'The cluster could not deploy the model.');
    return undo(state, event, { abort, namespace: null });
  }
  const abort = abortOf(event);
  return abort ? undo(state, event, { abort, namespace: null }) : null;
};

const takeResult = (state: In<'deploying'>, event: Recorded, result: DeploymentResult): Reacted => {
  const { namespace } = result;
  const status = result.deployment_status;
  const url = result.result?.deployment_url;
  if (status?.status !== 'ready' || !url) {
    const said = status?.replicas?.reason ? `: ${status.replicas.reason}` : '';
    const how = status?.status ?? 'not known';
    const abort = failed('deployment-not-ready', `The cluster reports the deployment as ${how}${said}.`);
    return undo(state, event, { abort, namespace });
  }
  const { wanted, option, simulator_id, candidates } = state;
  const { endpoint_id, workflow_id, deadline } = wanted;
  const paths = toPaths(result.supported_endpoints);
  const supported_endpoints = paths.length > 0 ? paths : toPaths(status.supported_endpoints);
  return {
    state: { phase: 'recording', wanted, option, simulator_id, candidates, namespace },
    intents: [
      ask(startWorkflowStep, { workflow_id, step: 'confirm_running', message: STEPS.confirm_running, deadline }),
      ask(recordEndpointDeployed, {
        endpoint_id,
        workflow_id,
        url,
        namespace,
        supported_endpoints,
        ...toObserved(status),
      }),
    ],
  };
};

const reactRecording = (state: In<'recording'>, event: Recorded): Reacted | null => {
  const { workflow_id } = state.wanted;
  if (event.type === 'EndpointDeployed') {
    const message = `The endpoint serves requests at ${event.data.url}`;
    const done = ask(completeWorkflowStep, { workflow_id, step: 'confirm_running', message });
    return { state, intents: [done, succeed(workflow_id), end()] };
  }
  if (event.type === 'EndpointDeletionRequested') {
    return undo(state, event, { abort: SUPERSEDED, namespace: state.namespace });
  }
  if (event.type !== 'WorkflowCommandRefused' || event.data.command !== recordEndpointDeployed.type) return null;
  const abort = { reason: event.data.reason, ending: 'failed' } as const;
  return undo(state, event, { abort, namespace: state.namespace });
};
