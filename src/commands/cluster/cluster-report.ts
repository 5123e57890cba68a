import type { ReportedNode } from '../../contracts/budcluster.ts';
import type { ClusterNode } from '../../events/values.ts';
import { fittingNodes } from './fitting-nodes.ts';

const whole = (value: number | null | undefined): number =>
  typeof value === 'number' && Number.isFinite(value) ? Math.max(0, Math.floor(value)) : 0;

const READY: ReadonlySet<string> = new Set(['ready', 'available', 'running']);

/** `true`, `ready` and `Running` all mean ready; any other text is kept. */
const statusOf = (status: ReportedNode['status']): string => {
  if (status === true || (typeof status === 'string' && READY.has(status.toLowerCase()))) return 'Ready';
  return typeof status === 'string' && status !== '' ? status : 'NotReady';
};

const sum = (values: readonly (number | null | undefined)[]): number =>
  values.reduce<number>((total, value) => total + whole(value), 0);

/** The node's capacity, or the sum of its CPU devices where the service does not state it. */
const resourcesOf = ({ capacity, devices }: ReportedNode): ClusterNode['resources'] => {
  const cpus = (devices ?? []).filter(({ type }) => type.toLowerCase() === 'cpu');
  const cores = sum(cpus.map((device) => device.cores ?? device.available_count));
  return {
    cpu_millis: capacity?.cpu_millis == null ? cores * 1000 : whole(capacity.cpu_millis),
    memory_mib:
      capacity?.memory_mib == null ? sum(cpus.map(({ memory_mib }) => memory_mib)) : whole(capacity.memory_mib),
  };
};

const toClusterNode = (node: ReportedNode): ClusterNode => ({
  name: node.name,
  status: statusOf(node.status),
  resources: resourcesOf(node),
  devices: (node.devices ?? []).map(({ type, name, available_count }) => ({
    type,
    name: name ?? null,
    available_count: whole(available_count),
  })),
});

/** Converts the nodes that a cluster service reports; a missing number counts as 0. */
export const toClusterNodes = (nodes: readonly ReportedNode[] | null | undefined): ClusterNode[] =>
  fittingNodes((nodes ?? []).map(toClusterNode));

const UNAVAILABLE: ReadonlySet<string> = new Set([
  'unavailable',
  'not_available',
  'error',
  'failed',
  'not_ready',
  'notready',
  'unreachable',
]);

/** Services report `available`, `ready`, `healthy`, `ok` and more; only the known bad statuses mean unavailable. */
export const isAvailable = (status: string | null | undefined): boolean =>
  !UNAVAILABLE.has((status ?? 'available').toLowerCase());

const AVAILABLE: ReadonlySet<string> = new Set(['available', 'ready', 'healthy', 'ok', 'active', 'running']);

/** An unavailable cluster is available again only when it says so; an unknown status does not count. */
export const saysAvailable = (status: string | null | undefined): boolean =>
  AVAILABLE.has((status ?? '').toLowerCase());
