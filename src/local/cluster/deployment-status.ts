import type { DeploymentStatus } from '../../contracts/notification.ts';
import { deviceName, NODE_NAME } from './machine.ts';
import type { Worker } from './worker.ts';

const WORDS = {
  starting: 'Pending',
  ready: 'Running',
  unresponsive: 'NotReady',
  waiting: 'Pending',
  stopped: 'Terminating',
} as const;

const replicaOf = (worker: Worker) => {
  const state = worker.state();
  return 'replica' in state ? state.replica : null;
};

/** A replica as `worker_data_list` and the worker routes show it; `uptime` in seconds. */
export const describeWorker = (worker: Worker) => {
  const replica = replicaOf(worker);
  return {
    id: worker.id,
    name: worker.name,
    status: worker.failed() ? 'CrashLoopBackOff' : WORDS[worker.state().status],
    node_name: NODE_NAME,
    node_ip: '127.0.0.1',
    device_name: deviceName(),
    hardware: 'CPU',
    cores: 1,
    concurrency: 1,
    pid: replica?.pid ?? null,
    uptime: replica === null ? 0 : Math.round((Date.now() - replica.started_at) / 1000),
    reason: worker.reason(),
  };
};

const count = (workers: readonly Worker[]) => {
  const available = workers.filter((worker) => worker.state().status === 'ready').length;
  const failed = workers.filter((worker) => worker.failed()).length;
  return { total: workers.length, available, failed, pending: workers.length - available - failed };
};

const statusOf = ({ total, available, failed }: ReturnType<typeof count>): string => {
  if (total > 0 && available === total) return 'ready';
  return failed > 0 ? 'failed' : 'pending';
};

const reasonOf = (workers: readonly Worker[], { total, available }: ReturnType<typeof count>): string => {
  if (available === total) return '';
  const reasons = workers
    .filter((worker) => worker.state().status !== 'ready')
    .map((worker) => worker.reason() ?? `${worker.name} is starting`);
  return `${available} of ${total} replicas are ready: ${reasons.join('; ')}`;
};

/** The status of a deployment with these paths, by the states of its workers. `failed`: at least one keeps crashing. */
export const deploymentStatus = (paths: string[], workers: readonly Worker[]): DeploymentStatus => {
  const counts = count(workers);
  const status = statusOf(counts);
  return {
    status,
    // The ingress is this process, so requests get through as soon as one replica accepts them.
    ingress_health: counts.available > 0,
    supported_endpoints: paths,
    replicas: { ...counts, status, reason: reasonOf(workers, counts) },
    worker_data_list: workers.map(describeWorker),
  };
};
