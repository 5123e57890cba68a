import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Notification } from '../../contracts/notification.ts';
import type { Engines } from '../engine/engines.ts';
import { clearOrphans } from '../machine/orphans.ts';
import { type ArtefactStore, createArtefactCache } from '../service/artefact-cache.ts';
import { type Callback, createCallbackOutbox } from '../service/callback.ts';
import { type Listen, type LocalService, serveLoopback } from '../service/loopback.ts';
import { messageOf } from '../service/message.ts';
import { createWorkflows } from '../service/workflows.ts';
import { type ClusterRecord, openClusterState, type WorkflowInput } from './cluster-state.ts';
import { type PlanDependencies, planAddedWorkers, planDeployment } from './deployment-plan.ts';
import { createDeployments } from './deployments.ts';
import { createIngress } from './ingress.ts';
import { measureNode } from './machine.ts';
import { createOwnRequests } from './own-requests.ts';
import { planRegistration } from './registration-plan.ts';
import { planClusterDeletion, planDeploymentDeletion, planWorkerDeletion } from './removal-plans.ts';
import { createRequestMetrics } from './request-metrics.ts';
import { mountRoutes, type RouteDependencies } from './routes.ts';
import { type StepPlan, toPlan } from './step-plan.ts';
import { SENDER, WORDING } from './wording.ts';
import { createWorkflowStore, workflowIdOf } from './workflow-store.ts';

const stepsOf = (dependencies: PlanDependencies, id: string, input: WorkflowInput): StepPlan => {
  switch (input.operation) {
    case 'deploy':
      return planDeployment(dependencies, id, input.request);
    case 'add-worker':
      return planAddedWorkers(dependencies, id, input.request);
    case 'delete-deployment':
      return planDeploymentDeletion(dependencies, input.request);
    case 'delete-worker':
      return planWorkerDeletion(dependencies, input.request);
    case 'register-cluster':
      return planRegistration(dependencies, id, input);
    case 'delete-cluster':
      return planClusterDeletion(dependencies, input.request);
  }
};

/** A message without a workflow. */
const statusMessage = (type: string, result: unknown): Notification =>
  messageOf(SENDER, null, { type, event: 'results', title: type, message: '', status: 'COMPLETED', result });

export interface LocalClusterOptions {
  /** The folder of all data of the service. Only one service may use it at a time. */
  data_dir: string;
  callback: Callback;
  /** The engines of this service. */
  engines: Engines;
  log: Logger;
  /** Where `s3://` references lead; without it they are refused. */
  artefacts?: ArtefactStore | undefined;
  /** Absent: this machine only, at any port. */
  listen?: Listen | undefined;
}

/**
 * A stand-in for the cluster service: implements its contract over loopback HTTP, with this machine as the only node
 * and inference servers as child processes. Deployments, running workflows and undelivered messages survive a crash.
 * `close` ends the processes; the next start restarts them at the same URLs where the port is still free.
 */
export const createLocalCluster = async (options: LocalClusterOptions): Promise<LocalService> => {
  const { data_dir, callback, engines, log, listen } = options;
  const state = await openClusterState(data_dir);
  const orphans = await clearOrphans(state.data.marker);
  if (orphans.length > 0) log.warn({ pids: orphans }, 'ended inference processes that an earlier life left behind');
  const outbox = await createCallbackOutbox({ dir: join(data_dir, 'outbox'), callback, log });
  const publish = (message: Notification): Promise<void> =>
    outbox
      .publish(message)
      .catch((error: unknown) => log.error({ err: error }, 'a message of the local cluster could not be kept'));

  const deployments = createDeployments({
    state,
    engines,
    dir: join(data_dir, 'deployments'),
    onStatus: ({ namespace, cluster_id }, status) => {
      log.info({ namespace, ...status.replicas }, `deployment is ${status.status}`);
      void publish(statusMessage('deployment-status-update', { deployment_name: namespace, cluster_id, ...status }));
    },
    // The clusters share this machine: what one takes the others no longer have.
    onTaken: (clusterId) => {
      for (const cluster of Object.values(state.data.clusters)) {
        if (cluster.id !== clusterId) void reportCluster(cluster, [nodeOf(cluster)]);
      }
    },
  });
  const nodeOf = ({ id }: ClusterRecord) => measureNode(id, deployments.taken(id));
  const reportCluster: RouteDependencies['reportCluster'] = ({ id }, nodes) =>
    publish(
      statusMessage('cluster-status-update', {
        cluster_id: id,
        status: 'available',
        node_info: { id, nodes },
      }),
    );
  let url = '';
  const urlOf = (namespace: string) => `${url}/serve/${namespace}`;
  const fetchArtefact = createArtefactCache({ dir: join(data_dir, 'artefacts'), store: options.artefacts });
  const own_requests = createOwnRequests();
  const dependencies = { state, deployments, engines, urlOf, fetchArtefact, own_requests };
  const workflows = createWorkflows({
    records: createWorkflowStore(state),
    idOf: workflowIdOf,
    planOf: (id, input) => toPlan(stepsOf(dependencies, id, input), input.request.notification_metadata),
    wording: WORDING,
    publish: outbox.publish,
    one_at_a_time: false,
    done_again: ({ operation }) => operation.startsWith('delete-'),
    log,
  });
  const metrics = createRequestMetrics();

  const ingress = createIngress({ deployments, metrics, own_requests });
  const service = await serveLoopback({
    log,
    port: state.data.port,
    listen,
    mount: (router) => mountRoutes(router, { state, deployments, workflows, metrics, ingress, reportCluster }),
  });
  url = service.url;
  if (!listen) state.data.port = Number(new URL(url).port);
  await state.save();
  await deployments.resume();
  workflows.resume();
  for (const cluster of Object.values(state.data.clusters)) {
    await reportCluster(cluster, [nodeOf(cluster)]);
  }

  return {
    url,
    async close() {
      await service.close();
      await workflows.close();
      await deployments.close();
      await outbox.close();
    },
  };
};
