import type { ReportedNode } from '../../contracts/budcluster.ts';
import type { Recommendation } from '../../contracts/budsim.ts';
import { countFitting, sumResources } from '../../events/resources.ts';
import type { Resources } from '../../events/values.ts';

/** A registered cluster as it is now; `cluster_id` is the cluster service's own. */
export interface ClusterFacts {
  cluster_id: string;
  name: string;
  nodes: readonly ReportedNode[];
}

const isReady = (node: ReportedNode): boolean => node.status === true || node.status === 'Ready';

const freeOf = (node: ReportedNode): Resources => ({
  cpu_millis: node.free?.cpu_millis ?? 0,
  memory_mib: node.free?.memory_mib ?? 0,
});

const coresText = (millis: number): string => (millis / 1000).toFixed(2).replace(/\.?0+$/, '');

interface Candidate {
  cluster: ClusterFacts;
  free: Resources;
  fits: number;
}

const candidateOf = (cluster: ClusterFacts, need: Resources): Candidate => {
  const frees = cluster.nodes.filter(isReady).map(freeOf);
  return {
    cluster,
    free: sumResources(frees),
    // A replica runs on one node, so the free capacity of two nodes does not add up.
    fits: frees.reduce((sum, free) => sum + countFitting(need, free), 0),
  };
};

const reasonsOf = ({ cluster, free, fits }: Candidate, need: Resources): string[] => {
  const ready = cluster.nodes.filter(isReady);
  const cores = ready.reduce((sum, node) => sum + (node.capacity?.cpu_millis ?? 0), 0);
  return [
    `${ready.length} of ${cluster.nodes.length} nodes ready`,
    `${coresText(cores)} cores, ${coresText(free.cpu_millis)} free`,
    `${free.memory_mib} MiB memory free`,
    `room for ${fits} replicas of ${coresText(need.cpu_millis)} cores and ${need.memory_mib} MiB each`,
  ];
};

const recommendationOf = (candidate: Candidate, need: Resources, concurrency: number): Recommendation => ({
  cluster_id: candidate.cluster.cluster_id,
  metrics: {
    device_types: candidate.cluster.nodes
      .filter(isReady)
      .flatMap((node) => (node.devices ?? []).map((device) => ({ type: device.type, name: device.name ?? null }))),
    replica: Math.min(candidate.fits, concurrency),
    concurrency: 1,
    // There are no measurements of this model on this cluster, so the figures are null.
    ttft: null,
    throughput_per_user: null,
    e2e_latency: null,
    error_rate: null,
    cost_per_million_tokens: null,
  },
  reasons: reasonsOf(candidate, need),
  free: candidate.free,
  per_replica: need,
  fits_replicas: candidate.fits,
});

/** The clusters with room for at least one replica, most room first; and a sentence a cluster on why the others are out. */
export const rankClusters = (
  clusters: readonly ClusterFacts[],
  { need, concurrency }: { need: Resources; concurrency: number },
): { recommendations: Recommendation[]; refused: string[] } => {
  const candidates = clusters.map((cluster) => candidateOf(cluster, need));
  const fitting = candidates
    .filter((candidate) => candidate.fits > 0)
    .sort((a, b) => b.fits - a.fits || b.free.memory_mib - a.free.memory_mib);
  return {
    recommendations: fitting.map((candidate) => recommendationOf(candidate, need, concurrency)),
    refused: candidates
      .filter((candidate) => candidate.fits === 0)
      .map((candidate) => `${candidate.cluster.name}: ${reasonsOf(candidate, need).join(', ')}`),
  };
};
