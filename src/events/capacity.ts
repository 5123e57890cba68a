import { countFitting, NO_RESOURCES, subtractResources, sumResources, timesResources } from './resources.ts';
import type { ClusterNode, Resources } from './values.ts';

/**
 * The one calculation of what is free on a cluster. The reservation, what the API shows and the local services use it:
 * with a second one, room would be shown that the reservation refuses. See ADR 16.
 */

/** The capacity that an endpoint has reserved, for all its replicas together. */
export interface Holding {
  replicas: number;
  resources: Resources;
}

export interface CapacityBook {
  nodes: readonly Pick<ClusterNode, 'name' | 'status' | 'resources'>[];
  /** By the id of the endpoint. */
  reservations: Readonly<Record<string, Holding>>;
}

export interface Capacity {
  /** Of the ready nodes. */
  total: Resources;
  reserved: Resources;
  /** `total` minus `reserved`; negative where a node with reserved capacity is gone. */
  free: Resources;
  /** What is left of each ready node once the reserved replicas are laid out. Never negative. */
  nodes: { name: string; free: Resources }[];
}

/** Services say `Ready` and `ready`. */
export const isReadyNode = ({ status }: { status: string }): boolean => status.toLowerCase() === 'ready';

/** One replica of a holding, rounded up; all of it where it has none. */
export const eachOf = ({ replicas, resources }: Holding): Resources => ({
  cpu_millis: Math.ceil(resources.cpu_millis / Math.max(1, replicas)),
  memory_mib: Math.ceil(resources.memory_mib / Math.max(1, replicas)),
});

/** The reserved replicas of one size, whichever endpoints they belong to. */
interface OfSize {
  each: Resources;
  replicas: number;
}

/**
 * All reservations, without who made them: what the capacity depends on. A cluster has few sizes of replicas, however many
 * endpoints, so that adding a reservation and laying all out costs the same with ten and with thousands.
 */
export interface Load {
  reserved: Resources;
  /** By the size, as text. */
  sizes: Readonly<Record<string, OfSize>>;
}

export const NO_LOAD: Load = { reserved: NO_RESOURCES, sizes: {} };

const sizeOf = ({ cpu_millis, memory_mib }: Resources): string => `${cpu_millis}:${memory_mib}`;

const changed = (load: Load, holding: Holding, sign: 1 | -1): Load => {
  const reserved = sumResources([load.reserved, timesResources(holding.resources, sign)]);
  const each = eachOf(holding);
  const size = sizeOf(each);
  const { [size]: before, ...others } = load.sizes;
  const replicas = (before?.replicas ?? 0) + sign * holding.replicas;
  return { reserved, sizes: replicas === 0 ? others : { ...others, [size]: { each, replicas } } };
};

/** The load after the reservation of an endpoint was replaced; null: there was none, or there is none any more. */
export const replaceHolding = (load: Load, before: Holding | null, after: Holding | null): Load => {
  const without = before ? changed(load, before, -1) : load;
  return after ? changed(without, after, 1) : without;
};

const loadOf = (reservations: CapacityBook['reservations']): Load => {
  const holdings = Object.values(reservations);
  const sizes: Record<string, OfSize> = {};
  for (const holding of holdings) {
    const each = eachOf(holding);
    const size = sizeOf(each);
    const replicas = (sizes[size]?.replicas ?? 0) + holding.replicas;
    if (replicas > 0) sizes[size] = { each, replicas };
  }
  return { reserved: sumResources(holdings.map(({ resources }) => resources)), sizes };
};

/** The largest first, since small replicas fit into the gaps. The order must not depend on who reserved first. */
const inOrder = ({ sizes }: Load): OfSize[] =>
  Object.values(sizes).toSorted(
    (a, b) => b.each.memory_mib - a.each.memory_mib || b.each.cpu_millis - a.each.cpu_millis,
  );

/** Lays the replicas out on the nodes, each on the first that has room. One that fits nowhere takes nothing. */
const layOut = (nodes: CapacityBook['nodes'], load: Load): Capacity['nodes'] => {
  const free = nodes.map(({ name, resources }) => ({ name, free: resources }));
  for (const { each, replicas } of inOrder(load)) {
    let left = replicas;
    for (const node of free) {
      const count = Math.min(left, countFitting(each, node.free));
      if (count === 0) continue;
      node.free = subtractResources(node.free, timesResources(each, count));
      left -= count;
    }
  }
  return free;
};

/** The capacity of a cluster with these nodes and this load. */
export const capacityUnder = (nodes: CapacityBook['nodes'], load: Load): Capacity => {
  const ready = nodes.filter(isReadyNode);
  const total = sumResources(ready.map(({ resources }) => resources));
  const { reserved } = load;
  return { total, reserved, free: subtractResources(total, reserved), nodes: layOut(ready, load) };
};

/** The capacity of a cluster. `without` leaves out the reservation of that endpoint. */
export const capacityOf = (
  { nodes, reservations }: CapacityBook,
  { without }: { without?: string | undefined } = {},
): Capacity => {
  const { [without ?? '']: _own, ...others } = reservations;
  return capacityUnder(nodes, loadOf(others));
};

/** The capacity of a cluster without nodes. */
export const NO_CAPACITY: Capacity = { total: NO_RESOURCES, reserved: NO_RESOURCES, free: NO_RESOURCES, nodes: [] };

/** How many more replicas of `each` there is room for: in all, and each on one node. */
export const roomFor = (each: Resources, { free, nodes }: Pick<Capacity, 'free' | 'nodes'>): number =>
  Math.min(
    countFitting(each, free),
    nodes.reduce((sum, node) => sum + countFitting(each, node.free), 0),
  );
