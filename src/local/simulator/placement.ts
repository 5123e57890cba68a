import type { ClusterNode } from '../../contracts/budcluster.ts';
import type { Recommendation } from '../../contracts/budsim.ts';

/** What the local cluster counts a replica with: threads of its own, a runtime, and the model twice (file and session). */
const REPLICA_CPU_MILLIS = 250;
const RUNTIME_MEMORY_MIB = 128;
const COPIES_OF_THE_MODEL = 2;
const MIB = 1024 * 1024;

export interface Resources {
  cpu_millis: number;
  memory_mib: number;
}

/** A registered cluster as it is now; `cluster_id` is the cluster service's own. */
export interface ClusterFacts {
  cluster_id: string;
  name: string;
  nodes: readonly ClusterNode[];
}

export const perReplica = (model_bytes: number): Resources => ({
  cpu_millis: REPLICA_CPU_MILLIS,
  memory_mib: RUNTIME_MEMORY_MIB + Math.ceil((COPIES_OF_THE_MODEL * model_bytes) / MIB),
});

const isReady = (node: ClusterNode): boolean => node.status === true || node.status === 'Ready';

const freeOf = (node: ClusterNode): Resources => ({
  cpu_millis: node.free?.cpu_millis ?? 0,
  memory_mib: node.free?.memory_mib ?? 0,
});

const fitsOn = (free: Resources, need: Resources): number =>
  Math.max(0, Math.floor(Math.min(free.cpu_millis / need.cpu_millis, free.memory_mib / need.memory_mib)));

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
    free: {
      cpu_millis: frees.reduce((sum, free) => sum + free.cpu_millis, 0),
      memory_mib: frees.reduce((sum, free) => sum + free.memory_mib, 0),
    },
    // A replica runs on one node: what is left over on two nodes does not add up to another.
    fits: frees.reduce((sum, free) => sum + fitsOn(free, need), 0),
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
    // Nothing of this model has been measured on this cluster yet, and nothing is made up.
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
