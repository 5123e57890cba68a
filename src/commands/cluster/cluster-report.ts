import type { ClusterNode as ReportedNode } from '../../contracts/budcluster.ts';
import type { ClusterNode } from '../../events/values.ts';

const whole = (value: number | null | undefined): number =>
  typeof value === 'number' && Number.isFinite(value) ? Math.max(0, Math.floor(value)) : 0;

const READY: ReadonlySet<string> = new Set(['ready', 'available', 'running']);

/** `true`, `ready` and `Running` all mean ready; another word stays as it is. */
const statusOf = (status: ReportedNode['status']): string => {
  if (status === true || (typeof status === 'string' && READY.has(status.toLowerCase()))) return 'Ready';
  return typeof status === 'string' && status !== '' ? status : 'NotReady';
};

const sum = (values: readonly (number | null | undefined)[]): number =>
  values.reduce<number>((total, value) => total + whole(value), 0);

/** The node's capacity; where the service does not state it, what its CPU devices add up to. */
const resourcesOf = ({ capacity, devices }: ReportedNode): ClusterNode['resources'] => {
  const cpus = (devices ?? []).filter(({ type }) => type.toLowerCase() === 'cpu');
  const cores = sum(cpus.map((device) => device.cores ?? device.available_count));
  return {
    cpu_millis: capacity?.cpu_millis == null ? cores * 1000 : whole(capacity.cpu_millis),
    memory_mib:
      capacity?.memory_mib == null ? sum(cpus.map(({ memory_mib }) => memory_mib)) : whole(capacity.memory_mib),
  };
};

/** What a cluster service reports of its nodes, in our shape; what it does not report counts as nothing. */
export const toClusterNodes = (nodes: readonly ReportedNode[] | null | undefined): ClusterNode[] =>
  (nodes ?? []).map((node) => ({
    name: node.name,
    status: statusOf(node.status),
    resources: resourcesOf(node),
    devices: (node.devices ?? []).map(({ type, name, available_count }) => ({
      type,
      name: name ?? null,
      available_count: whole(available_count),
    })),
  }));

const UNAVAILABLE: ReadonlySet<string> = new Set([
  'unavailable',
  'not_available',
  'error',
  'failed',
  'not_ready',
  'notready',
  'unreachable',
]);

/** Services say `available`, `ready`, `healthy`, `ok`, ...; only what is known to be bad is bad. */
export const isAvailable = (status: string | null | undefined): boolean =>
  !UNAVAILABLE.has((status ?? 'available').toLowerCase());
