import type { ReportedNode } from '../../contracts/budcluster.ts';
import type { Recommendation } from '../../contracts/budsim.ts';
import { isReadyNode, roomFor } from '../../events/capacity.ts';
import { resourcesText, sumResources } from '../../events/resources.ts';
import type { Resources } from '../../events/values.ts';

/** A registered cluster as it is now; `cluster_id` is the cluster service's own. */
export interface ClusterFacts {
  cluster_id: string;
  name: string;
  nodes: readonly ReportedNode[];
}

const resourcesIn = (of: ReportedNode['capacity']): Resources => ({
  cpu_millis: of?.cpu_millis ?? 0,
  memory_mib: of?.memory_mib ?? 0,
});

interface Candidate {
  cluster: ClusterFacts;
  ready: readonly ReportedNode[];
  total: Resources;
  /** How many replicas the cluster carries when it is empty, and how many more it has room for by its own report. */
  carries: number;
  room: number;
}

const roomIn = (each: Resources, nodes: readonly { name: string; free: Resources }[]): number =>
  roomFor(each, { free: sumResources(nodes.map(({ free }) => free)), nodes: [...nodes] });

const candidateOf = (cluster: ClusterFacts, need: Resources): Candidate => {
  const ready = cluster.nodes.filter(({ status }) => status === true || isReadyNode({ status: status || '' }));
  const empty = ready.map(({ name, capacity }) => ({ name, free: resourcesIn(capacity) }));
  const now = ready.map(({ name, free }) => ({ name, free: resourcesIn(free) }));
  const total = sumResources(empty.map(({ free }) => free));
  return { cluster, ready, total, carries: roomIn(need, empty), room: roomIn(need, now) };
};

const reasonsOf = ({ cluster, ready, total }: Candidate, need: Resources): string[] => [
  `${ready.length} of ${cluster.nodes.length} nodes ready`,
  `${resourcesText(total)} in all`,
  `a replica is reckoned with ${resourcesText(need)}`,
];

const recommendationOf = (candidate: Candidate, need: Resources, concurrency: number): Recommendation => ({
  cluster_id: candidate.cluster.cluster_id,
  metrics: {
    device_types: candidate.ready.flatMap(({ devices }) =>
      (devices ?? []).map(({ type, name }) => ({ type, name: name ?? null })),
    ),
    replica: Math.min(candidate.carries, concurrency),
    concurrency: 1,
    // There are no measurements of this model on this cluster, so the figures are null.
    ttft: null,
    throughput_per_user: null,
    e2e_latency: null,
    error_rate: null,
    cost_per_million_tokens: null,
  },
  reasons: reasonsOf(candidate, need),
  per_replica: need,
});

/**
 * The clusters that can carry a replica, most room first; and a sentence a cluster on why the others are out. A cluster
 * that is full now stays in: whether there is room is decided by the one who reserves it, who knows what was promised.
 */
export const rankClusters = (
  clusters: readonly ClusterFacts[],
  { need, concurrency }: { need: Resources; concurrency: number },
): { recommendations: Recommendation[]; refused: string[] } => {
  const candidates = clusters.map((cluster) => candidateOf(cluster, need));
  const able = candidates
    .filter(({ carries }) => carries > 0)
    .toSorted((a, b) => b.room - a.room || b.total.memory_mib - a.total.memory_mib);
  return {
    recommendations: able.map((candidate) => recommendationOf(candidate, need, concurrency)),
    refused: candidates
      .filter(({ carries }) => carries === 0)
      .map((candidate) => `${candidate.cluster.name}: ${reasonsOf(candidate, need).join(', ')}`),
  };
};
