import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import {
  AddWorkerRequest,
  ClusterReference,
  DeleteClusterRequest,
  DeleteDeploymentRequest,
  DeleteWorkerRequest,
  DeployRequest,
} from '../../contracts/budcluster.ts';
import { parse, readJson, ServiceRefusal } from '../service/loopback.ts';
import type { Workflows } from '../service/workflows.ts';
import { type ClusterRecord, type ClusterState, findOwn, type WorkflowInput } from './cluster-state.ts';
import { readConfigurationUpload } from './configuration-upload.ts';
import { describeWorker } from './deployment-status.ts';
import type { Deployments } from './deployments.ts';
import { INGRESS_PATH } from './ingress.ts';
import { type MeasuredNode, measureNode } from './machine.ts';
import type { RequestMetrics } from './request-metrics.ts';

export interface RouteDependencies {
  state: ClusterState;
  deployments: Deployments;
  workflows: Workflows<WorkflowInput>;
  metrics: RequestMetrics;
  ingress: (ctx: Context) => Promise<void>;
  reportCluster: (cluster: ClusterRecord, nodes: MeasuredNode[]) => Promise<void>;
}

const idOf = (ctx: Context): string => z.string().parse(ctx.params.id);

const findCluster = (state: ClusterState, id: string): ClusterRecord => {
  const cluster = findOwn(state.data.clusters, id);
  if (cluster === undefined) throw new ServiceRefusal(404, `no cluster ${id}`);
  return cluster;
};

const clusterRoutes = (router: Router, { state, deployments, workflows, reportCluster }: RouteDependencies) => {
  const nodesOf = (id: string) => [measureNode(findCluster(state, id).id, deployments.taken(id))];

  router.post('/cluster', async (ctx) => {
    const { request, configuration } = await readConfigurationUpload(ctx);
    const isEmpty = configuration.trim() === '';
    const configuration_sha256 = isEmpty ? null : createHash('sha256').update(configuration).digest('hex');
    ctx.body = await workflows.start({ operation: 'register-cluster', request, configuration_sha256 });
  });
  router.post('/cluster/delete', async (ctx) => {
    ctx.body = await workflows.start({
      operation: 'delete-cluster',
      request: await readJson(ctx, DeleteClusterRequest),
    });
  });
  router.post('/cluster/update-node-status', async (ctx) => {
    const { cluster_id } = await readJson(ctx, ClusterReference);
    await reportCluster(findCluster(state, cluster_id), nodesOf(cluster_id));
    ctx.body = { message: 'the status of the nodes is on its way' };
  });
  router.patch('/cluster/:id', async (ctx) => {
    const { ingress_url } = await readJson(ctx, z.object({ ingress_url: z.string() }));
    findCluster(state, idOf(ctx)).ingress_url = ingress_url;
    await state.save();
    ctx.body = { message: 'saved' };
  });
  router.get('/clusters', (ctx) => {
    ctx.body = { items: Object.values(state.data.clusters).map(({ id, name }) => ({ id, name })) };
  });
  router.get('/cluster/:id/nodes', (ctx) => {
    ctx.body = { nodes: nodesOf(idOf(ctx)) };
  });
  router.get('/cluster/:id/storage-classes', (ctx) => {
    findCluster(state, idOf(ctx));
    ctx.body = { storage_classes: [{ name: 'local-disk', provisioner: 'local', is_default: true }] };
  });
  router.get('/cluster/:id/health', (ctx) => {
    const { name } = findCluster(state, idOf(ctx));
    ctx.body = { status: 'available', message: `${name} is this machine`, nodes: nodesOf(idOf(ctx)) };
  });
};

/** A new deployment, or additional workers where a namespace is given. */
const deploymentInput = (body: { existing_deployment_namespace?: unknown }): WorkflowInput =>
  body.existing_deployment_namespace === undefined
    ? { operation: 'deploy', request: parse(DeployRequest, body) }
    : { operation: 'add-worker', request: parse(AddWorkerRequest, body) };

const deploymentRoutes = (router: Router, { workflows }: RouteDependencies) => {
  router.post('/deployment', async (ctx) => {
    const body = await readJson(ctx, z.looseObject({ existing_deployment_namespace: z.unknown().optional() }));
    ctx.body = await workflows.start(deploymentInput(body));
  });
  router.post('/deployment/delete', async (ctx) => {
    ctx.body = await workflows.start({
      operation: 'delete-deployment',
      request: await readJson(ctx, DeleteDeploymentRequest),
    });
  });
  router.delete('/deployment/worker-info', async (ctx) => {
    ctx.body = await workflows.start({ operation: 'delete-worker', request: await readJson(ctx, DeleteWorkerRequest) });
  });
};

const WorkersQuery = z.object({
  cluster_id: z.string(),
  namespace: z.string(),
  refresh: z.stringbool().optional(),
  page: z.coerce.number().int().min(1).default(1),
  limit: z.coerce.number().int().min(1).max(200).default(64),
});

/** Seconds of processor time and resident memory of a process, as /proc tells; null on other systems. */
const measureProcess = async (pid: number) => {
  try {
    const [stat, status] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/status`, 'utf8'),
    ]);
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { cpu_seconds: ticks / 100, memory_mib: Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024) };
  } catch {
    return { cpu_seconds: null, memory_mib: null };
  }
};

const workerRoutes = (router: Router, { deployments, metrics }: RouteDependencies) => {
  const find = (ctx: Context) => {
    const found = deployments.findWorker(idOf(ctx));
    if (found === undefined) throw new ServiceRefusal(404, `no worker ${idOf(ctx)}`);
    return found;
  };
  const describe = ({ record, worker }: ReturnType<typeof find>) => {
    const { status } = deployments.status(record.namespace);
    return { ...describeWorker(worker), namespace: record.namespace, deployment_status: status };
  };

  router.get('/deployment/worker-info', (ctx) => {
    const { cluster_id, namespace, page, limit } = parse(WorkersQuery, ctx.query);
    const record = deployments.find(namespace);
    if (record?.cluster_id !== cluster_id)
      throw new ServiceRefusal(404, `no deployment ${namespace} on cluster ${cluster_id}`);
    const workers = deployments.workers(namespace).map((worker) => describe({ record, worker }));
    ctx.body = { workers: workers.slice((page - 1) * limit, page * limit), page, limit, total_record: workers.length };
  });
  router.get('/deployment/worker-info/:id', (ctx) => {
    ctx.body = { worker: describe(find(ctx)) };
  });
  router.get('/deployment/worker-info/:id/logs', (ctx) => {
    ctx.body = { logs: find(ctx).worker.logs.list() };
  });
  router.get('/deployment/worker-info/:id/metrics', async (ctx) => {
    const { pid, uptime } = describeWorker(find(ctx).worker);
    ctx.body = { uptime, ...(pid === null ? { cpu_seconds: null, memory_mib: null } : await measureProcess(pid)) };
  });
  router.get('/serve-metrics', (ctx) => {
    ctx.body = metrics.read(parse(z.object({ namespace: z.string() }), ctx.query).namespace);
  });
};

const cancelRoutes = (router: Router, { workflows }: RouteDependencies) => {
  const cancel = async (ctx: Context) => {
    const outcome = await workflows.cancel(idOf(ctx));
    if (outcome === 'unknown') throw new ServiceRefusal(404, `no workflow ${idOf(ctx)}`);
    ctx.status = outcome === 'ended' ? 200 : 202;
    ctx.body = { message: outcome === 'ended' ? 'stopped, and nothing is left of it' : 'it is being stopped' };
  };
  router.post('/cluster/cancel/:id', cancel);
  router.post('/deployment/cancel/:id', cancel);
};

/** Operations that need a real cluster. */
const refusedRoutes = (router: Router) => {
  const refuse = (what: string) => () => {
    throw new ServiceRefusal(
      501,
      `the local cluster does not offer ${what}; set BUDCLUSTER_SERVICE_URL to use a real one`,
    );
  };
  router.put('/deployment/autoscale', refuse('autoscaling'));
  router.post('/deployment/deploy-adapter', refuse('adapters'));
  router.post('/benchmark/run', refuse('benchmarks'));
  router.get('/benchmark/result', refuse('benchmarks'));
};

export const mountRoutes = (router: Router, dependencies: RouteDependencies): void => {
  clusterRoutes(router, dependencies);
  deploymentRoutes(router, dependencies);
  workerRoutes(router, dependencies);
  cancelRoutes(router, dependencies);
  refusedRoutes(router);
  router.all(INGRESS_PATH, dependencies.ingress);
};
