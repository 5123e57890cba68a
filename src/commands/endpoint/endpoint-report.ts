import type { ReportedWorker } from '../../contracts/budcluster.ts';
import type { DeploymentResult, DeploymentStatus } from '../../contracts/notification.ts';
import type { ReplicaCounts, Worker } from '../../events/values.ts';

/** What a cluster reports about an endpoint. */
export interface EndpointReport {
  replicas: ReplicaCounts;
  ingress_healthy: boolean | null;
  workers: Worker[];
}

const count = (value: number | null | undefined): number | null =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : null;

/** Of an endpoint's workers, far more than its replicas: what is ended may be listed, too. */
const MAX_WORKERS = 1000;

/** Converts the reported workers. A worker without a name cannot be told from others, so it is left out. */
export const toWorkers = (workers: readonly ReportedWorker[] | null | undefined): Worker[] =>
  (workers ?? []).slice(0, MAX_WORKERS).flatMap(({ name, id, status, node_name, device_name }) => {
    const known = name ?? id;
    if (!known) return [];
    return [
      { name: known, status: status ?? 'Unknown', node_name: node_name ?? null, device_name: device_name ?? null },
    ];
  });

/** Services differ in case: `Running`, `RUNNING`. */
const isRunning = ({ status }: { status: string }): boolean => status.toLowerCase() === 'running';

const BROKEN: ReadonlySet<string> = new Set(['failed', 'error', 'crashloopbackoff']);

/** Counts the replicas by the status of their workers. */
export const countWorkers = (workers: readonly Worker[]): ReplicaCounts => {
  const available = workers.filter(isRunning).length;
  const broken = workers.filter(({ status }) => BROKEN.has(status.toLowerCase())).length;
  return { total: workers.length, available, failed: broken, pending: workers.length - available - broken };
};

/** Converts a deployment's status. Missing counts are taken from the workers. */
export const toObserved = (status: DeploymentStatus): EndpointReport => {
  const workers = toWorkers(status.worker_data_list);
  const counted = countWorkers(workers);
  const replicas = status.replicas;
  return {
    replicas: {
      total: count(replicas?.total) ?? counted.total,
      available: count(replicas?.available) ?? counted.available,
      failed: count(replicas?.failed) ?? counted.failed,
      pending: count(replicas?.pending) ?? counted.pending,
    },
    ingress_healthy: status.ingress_health ?? null,
    workers,
  };
};

const KNOWN_STATUSES: ReadonlySet<string> = new Set([
  'ready',
  'pending',
  'ingress_failed',
  'endpoints_failed',
  'failed',
  'error',
]);

/**
 * Converts a list of workers to the data of `RecordEndpointReport`. Running replicas do not prove that requests get through,
 * nor that a failure which the cluster reported is over. Both stay as they were `before` until the deployment's own status,
 * which the cluster may add, says otherwise.
 */
export const toWorkersReport = (
  listed: readonly ReportedWorker[],
  before: { status: string; ingress_healthy: boolean | null },
) => {
  const workers = toWorkers(listed);
  const reported = listed.find(({ deployment_status }) => KNOWN_STATUSES.has(deployment_status ?? ''));
  const status = reported?.deployment_status;
  return {
    workers,
    replicas: countWorkers(workers),
    ...(status ? { status, ingress_healthy: status === 'ready' ? true : null } : before),
  };
};

/** Converts a deployment's status to the data of `RecordEndpointReport`. */
export const toEndpointReport = (status: DeploymentStatus) => ({
  ...toObserved(status),
  status: status.status,
  ...(status.replicas?.reason ? { message: status.replicas.reason } : {}),
});

/** Reads the paths from a list, or from an object whose true members are the paths. */
export const toPaths = (endpoints: DeploymentResult['supported_endpoints']): string[] => {
  if (!endpoints) return [];
  if (Array.isArray(endpoints)) return endpoints;
  return Object.entries(endpoints).flatMap(([path, on]) => (on ? [path] : []));
};
