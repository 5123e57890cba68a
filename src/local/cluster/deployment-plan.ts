import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AddWorkerRequest, DeployRequest } from '../../contracts/budcluster.ts';
import type { DeploymentResult } from '../../contracts/notification.ts';
import { failureText } from '../../failures/failure-text.ts';
import type { Engine, PerformanceCheck } from '../engine/engine.ts';
import type { Engines } from '../engine/engines.ts';
import type { FetchArtefact } from '../service/artefact-cache.ts';
import { ServiceRefusal } from '../service/loopback.ts';
import { StepFailed } from '../service/step-failed.ts';
import { findArtefact, placeArtefact } from './artefact.ts';
import { type ClusterState, findOwn } from './cluster-state.ts';
import type { Deployments } from './deployments.ts';
import { deviceName } from './machine.ts';
import type { OwnRequests } from './own-requests.ts';
import type { Step, StepPlan } from './step-plan.ts';
import type { Worker } from './worker.ts';

export interface PlanDependencies {
  state: ClusterState;
  deployments: Deployments;
  engines: Engines;
  /** The URL at which the ingress serves a namespace. */
  urlOf: (namespace: string) => string;
  /** Downloads the object of an `s3://` reference to this machine. */
  fetchArtefact: FetchArtefact;
  /** Sent with what the service itself asks of a deployment. */
  own_requests: OwnRequests;
}

/** The goal of one workflow: `count` more replicas in `namespace`. */
interface Goal {
  workflow_id: string;
  namespace: string;
  count: number;
  request: DeployRequest | AddWorkerRequest;
  isNew: boolean;
}

const READY_TIMEOUT_MS = 30_000;
const READY_POLL_MS = 50;

/** A name that is unique to the workflow: `bud-<endpoint>-<8 digits of the workflow id>`. */
const namespaceOf = (endpointName: string, workflowId: string): string => {
  const slug = endpointName
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40);
  return `bud-${slug || 'endpoint'}-${workflowId.slice(0, 8)}`;
};

const refusalsAsFailures = async <T>(work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (cause) {
    if (cause instanceof ServiceRefusal) throw new StepFailed(cause.message, { cause });
    throw cause;
  }
};

/** The namespace may have been deleted in the meantime. */
const getEngine = (deployments: Deployments, namespace: string): Engine => {
  const engine = deployments.findEngine(namespace);
  if (engine === undefined) throw new StepFailed(`no deployment ${namespace}`);
  return engine;
};

const verifyConnection = ({ state }: PlanDependencies, { request }: Goal): Step => ({
  id: 'verify_cluster_connection',
  title: 'Verify cluster connection',
  description: 'Check that the cluster is registered and can be reached',
  async run() {
    const cluster = findOwn(state.data.clusters, request.cluster_id);
    if (cluster === undefined) throw new StepFailed(`no cluster ${request.cluster_id} is registered here`);
    return `${cluster.name} is this machine, and it answers`;
  },
});

const transferModel = (
  { deployments, engines, fetchArtefact }: PlanDependencies,
  { namespace, request, isNew, workflow_id }: Goal,
): Step => ({
  id: 'transfer_model_to_cluster',
  title: 'Transfer model to cluster',
  description: "Bring the model's artefact to where the replicas read it",
  async run(signal) {
    if (!isNew) {
      const record = deployments.find(namespace);
      if (record === undefined) throw new StepFailed(`no deployment ${namespace}`);
      await access(record.model_file).catch((cause) => {
        throw new StepFailed(`the artefact of ${namespace} is no longer there`, { cause });
      });
      return 'The artefact is there already';
    }
    const transfer = { uri: request.model, signal };
    const { path, size_bytes, engine } = await findArtefact(transfer, { fetchArtefact, engines });
    const { cluster_id, simulator_id, endpoint_name } = request;
    // Recorded before there is a file, so that the rollback finds it after any failure.
    const { model_file } = await deployments.add({
      ...{ namespace, cluster_id, simulator_id, model_name: endpoint_name, engine: engine.name },
      model_file: join(deployments.folder(namespace), engine.artefact.file_name),
      ...{ model_bytes: 0, made_by: workflow_id, serving: false, workers: [], next_number: 0 },
    });
    await placeArtefact(transfer, { from: path, to: model_file });
    await refusalsAsFailures(deployments.setSize(namespace, size_bytes));
    return `${size_bytes} bytes`;
  },
});

/** Resolves when all are ready; rejects with the first failure, or when the workflow is interrupted. */
const allReady = async (workers: readonly Worker[], signal: AbortSignal): Promise<void> => {
  const interrupted = Promise.withResolvers<never>();
  const onAbort = () => interrupted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    signal.throwIfAborted();
    await Promise.race([Promise.all(workers.map((worker) => worker.firstReady)), interrupted.promise]);
  } catch (cause) {
    signal.throwIfAborted();
    throw new StepFailed(failureText(cause), { cause });
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
};

const deployToEngine = ({ deployments }: PlanDependencies, { namespace, count, workflow_id }: Goal): Step => ({
  id: 'deploy_to_engine',
  title: 'Deploy to engine',
  description: `Start ${count} inference ${count === 1 ? 'server' : 'servers'}`,
  async run(signal) {
    const workers = await refusalsAsFailures(deployments.addWorkers(namespace, { count, made_by: workflow_id }));
    await allReady(workers, signal);
    return `${workers.map(({ name }) => name).join(', ')} loaded the model`;
  },
});

const verifyStatus = ({ deployments }: PlanDependencies, { namespace, workflow_id }: Goal): Step => ({
  id: 'verify_deployment_status',
  title: 'Verify deployment status',
  description: 'Wait until every replica says that it is ready',
  async run(cancelled) {
    const signal = AbortSignal.any([cancelled, AbortSignal.timeout(READY_TIMEOUT_MS)]);
    while (!signal.aborted) {
      const engine = getEngine(deployments, namespace);
      const servings = deployments.workers(namespace, workflow_id).map((worker) => worker.serving());
      const answers = await Promise.all(
        servings.map((serving) => serving !== null && engine.isReady(serving.port, signal)),
      );
      if (answers.length > 0 && answers.every(Boolean))
        return `${answers.length} of ${answers.length} replicas are ready`;
      await sleep(READY_POLL_MS, undefined, { signal }).catch(() => undefined);
    }
    cancelled.throwIfAborted();
    throw new StepFailed(`not all replicas of ${namespace} became ready within ${READY_TIMEOUT_MS / 1000} s`);
  },
});

const describeCheck = (check: PerformanceCheck): string =>
  check.measured
    ? `${check.mean_latency_ms} ms a request, mean of ${check.calls} with ${check.inputs}`
    : `Skipped: ${check.reason}`;

const resultOf = (dependencies: PlanDependencies, goal: Goal, check: PerformanceCheck | null): DeploymentResult => {
  const { deployments, urlOf } = dependencies;
  const { namespace, request, workflow_id } = goal;
  const measured = check?.measured === true;
  const replicas = deployments.workers(namespace).length;
  return {
    workflow_id,
    cluster_id: request.cluster_id,
    simulator_id: request.simulator_id,
    namespace,
    // A model without tokens has no time to first token: the measured latency has its own name.
    result: {
      deployment_url: urlOf(namespace),
      mean_ttft_ms: null,
      mean_tpot_ms: null,
      mean_latency_ms: measured ? check.mean_latency_ms : null,
    },
    performance_status: measured,
    benchmark_status: measured,
    number_of_nodes: 1,
    deploy_config: [
      { name: deviceName(), type: 'cpu', tp_size: 1, replicas, engine_type: getEngine(deployments, namespace).name },
    ],
    supported_endpoints: deployments.paths(namespace),
    deployment_status: deployments.status(namespace),
  };
};

const undoOf =
  ({ deployments }: PlanDependencies, { namespace, workflow_id, isNew }: Goal) =>
  async () => {
    if (!isNew) return deployments.removeWorkers(namespace, ({ made_by }) => made_by === workflow_id);
    if (deployments.find(namespace)?.made_by === workflow_id) await deployments.remove(namespace);
  };

const planFor = (dependencies: PlanDependencies, goal: Goal): StepPlan => {
  const { deployments, urlOf, own_requests } = dependencies;
  let check: PerformanceCheck | null = null;
  const measure: Step = {
    id: 'run_performance_benchmark',
    title: 'Run performance benchmark',
    description: 'Send a few requests and measure how long they take',
    async run(cancelled) {
      const model_name = deployments.find(goal.namespace)?.model_name ?? goal.request.endpoint_name;
      const engine = getEngine(deployments, goal.namespace);
      check = await engine.check({ url: urlOf(goal.namespace), model_name, headers: own_requests }, cancelled);
      // Done here and not in `result`, so that a replica that ends from now on is reported.
      await refusalsAsFailures(deployments.serve(goal.namespace, goal.workflow_id));
      return describeCheck(check);
    },
  };
  return {
    name: 'create_deployment',
    type: goal.isNew ? 'deploy_model' : 'add_worker',
    title: goal.isNew ? `Deploy ${goal.request.endpoint_name}` : `Add replicas to ${goal.namespace}`,
    steps: [
      verifyConnection(dependencies, goal),
      transferModel(dependencies, goal),
      deployToEngine(dependencies, goal),
      verifyStatus(dependencies, goal),
      measure,
    ],
    result: async () => resultOf(dependencies, goal, check),
    undo: undoOf(dependencies, goal),
  };
};

export const planDeployment = (dependencies: PlanDependencies, workflow_id: string, request: DeployRequest): StepPlan =>
  planFor(dependencies, {
    workflow_id,
    request,
    namespace: namespaceOf(request.endpoint_name, workflow_id),
    count: request.budaiscaler?.min_replicas ?? 1,
    isNew: true,
  });

/** `concurrency` is the number of additional requests, and a replica here handles one request at a time. */
export const planAddedWorkers = (
  dependencies: PlanDependencies,
  workflow_id: string,
  request: AddWorkerRequest,
): StepPlan =>
  planFor(dependencies, {
    workflow_id,
    request,
    namespace: request.existing_deployment_namespace,
    count: request.concurrency,
    isNew: false,
  });
