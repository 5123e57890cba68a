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

/** The largest first, since small replicas fit into the gaps. The order must not depend on who reserved first. */
const inOrder = (reservations: CapacityBook['reservations']) =>
  Object.entries(reservations)
    .flatMap(([id, holding]) => (holding.replicas > 0 ? [{ id, each: eachOf(holding), left: holding.replicas }] : []))
    .toSorted(
      (a, b) =>
        b.each.memory_mib - a.each.memory_mib || b.each.cpu_millis - a.each.cpu_millis || (a.id < b.id ? -1 : 1),
    );

/** Lays the replicas out on the nodes, each on the first that has room. One that fits nowhere takes nothing. */
const layOut = ({ nodes, reservations }: CapacityBook): Capacity['nodes'] => {
  const left = nodes.map(({ name, resources }) => ({ name, free: resources }));
  for (const holding of inOrder(reservations)) {
    for (const node of left) {
      const count = Math.min(holding.left, countFitting(holding.each, node.free));
      if (count === 0) continue;
      node.free = subtractResources(node.free, timesResources(holding.each, count));
      holding.left -= count;
    }
  }
  return left;
};

/** The capacity of a cluster. `without` leaves out the reservation of that endpoint. */
export const capacityOf = (
  { nodes, reservations }: CapacityBook,
  { without }: { without?: string | undefined } = {},
): Capacity => {
  const { [without ?? '']: _own, ...others } = reservations;
  const ready = nodes.filter(isReadyNode);
  const total = sumResources(ready.map(({ resources }) => resources));
  const reserved = sumResources(Object.values(others).map(({ resources }) => resources));
  return {
    total,
    reserved,
    free: subtractResources(total, reserved),
    nodes: layOut({ nodes: ready, reservations: others }),
  };
};

/** The capacity of a cluster without nodes. */
export const NO_CAPACITY: Capacity = { total: NO_RESOURCES, reserved: NO_RESOURCES, free: NO_RESOURCES, nodes: [] };

/** How many more replicas of `each` there is room for: in all, and each on one node. */
export const roomFor = (each: Resources, { free, nodes }: Pick<Capacity, 'free' | 'nodes'>): number =>
  Math.min(
    countFitting(each, free),
    nodes.reduce((sum, node) => sum + countFitting(each, node.free), 0),
  );
