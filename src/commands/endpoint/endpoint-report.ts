import type { Worker as ReportedWorker } from '../../contracts/budcluster.ts';
import type { DeploymentResult, DeploymentStatus } from '../../contracts/notification.ts';
import type { ReplicaCounts, Worker } from '../../events/values.ts';

/** What a cluster reports of an endpoint, in our shape. */
export interface Observed {
  replicas: ReplicaCounts;
  ingress_healthy: boolean | null;
  workers: Worker[];
}

const count = (value: number | null | undefined): number | null =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : null;

/** A worker without a name cannot be told from others, and is left out. */
export const toWorkers = (workers: readonly ReportedWorker[] | null | undefined): Worker[] =>
  (workers ?? []).flatMap(({ name, id, status, node_name, device_name }) => {
    const known = name ?? id;
    if (!known) return [];
    return [
      { name: known, status: status ?? 'Unknown', node_name: node_name ?? null, device_name: device_name ?? null },
    ];
  });

/** Services disagree about the case: `Running`, `RUNNING`. */
const isRunning = ({ status }: { status: string }): boolean => status.toLowerCase() === 'running';

const BROKEN: ReadonlySet<string> = new Set(['failed', 'error', 'crashloopbackoff']);

/** Counts by what the single workers say. */
export const countWorkers = (workers: readonly Worker[]): ReplicaCounts => {
  const available = workers.filter(isRunning).length;
  const broken = workers.filter(({ status }) => BROKEN.has(status.toLowerCase())).length;
  return { total: workers.length, available, failed: broken, pending: workers.length - available - broken };
};

/** Where the status leaves counts out, those of its workers stand in. */
export const toObserved = (status: DeploymentStatus): Observed => {
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

/** A deployment's status as the data of `RecordEndpointReport`. */
export const toEndpointReport = (status: DeploymentStatus) => ({
  ...toObserved(status),
  status: status.status,
  ...(status.replicas?.reason ? { message: status.replicas.reason } : {}),
});

/** A list of paths, or an object whose true members are the paths. */
export const toPaths = (endpoints: DeploymentResult['supported_endpoints']): string[] => {
  if (!endpoints) return [];
  if (Array.isArray(endpoints)) return endpoints;
  return Object.entries(endpoints).flatMap(([path, on]) => (on ? [path] : []));
};
