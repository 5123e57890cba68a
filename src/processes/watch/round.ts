import pMap from 'p-map';
import type { Proof, ProofSubject, Proofs } from '../../ports/proofs.ts';
import type { ReadModels } from '../../projections/queries/read.ts';
import type { WatchedCluster, WatchedEndpoint } from '../../projections/queries/watched-query.ts';
import { compareReports, type Sight } from './compare.ts';
import type { Confirmation } from './confirmation.ts';
import type { ClusterSight, Look } from './look.ts';
import { type Order, onClusterSeen, onClusterSilent, onEndpointSeen, onEndpointSilent } from './orders.ts';
import type { Silence } from './silence.ts';

export interface RoundOptions {
  readModels: Pick<ReadModels, 'listWatched'>;
  proofs: Proofs;
  look: Look;
  silence: Silence;
  confirmation: Confirmation;
  /** Sends the commands. */
  perform(orders: readonly Order[]): Promise<void>;
  now(): string;
  /** How many questions are open at a time. */
  concurrency: number;
}

/** Proofs of what has not been watched for so long are forgotten: it was deleted. */
const KEEP_MS = 3_600_000;

type Known = ReadonlyMap<string, Proof>;

/**
 * One round: asks the cluster service about everything that is watched, notes who was heard, and orders what follows from
 * it. Each round begins with what is recorded by then, so that one which ended in the middle is made good by the next.
 */
export const createRound = (options: RoundOptions) => {
  const { readModels, proofs, look, silence, confirmation, perform, now, concurrency } = options;
  let counts = new Map<string, string>();

  /** Whoever sent a message since the last round was heard, too. */
  const listen = (ids: ReadonlySet<string>, known: Known) => {
    for (const id of ids) {
      const proof = known.get(id);
      silence.adopt(id, proof?.age_ms ?? null);
      const before = counts.get(id);
      if (proof && before !== undefined && before !== proof.count) silence.heard(id);
    }
    counts = new Map([...known].map(([id, { count }]) => [id, count]));
    silence.keepOnly(ids);
  };

  const askClusters = async (clusters: readonly WatchedCluster[]) => {
    const sights = new Map<string, ClusterSight>();
    const ask = async (cluster: WatchedCluster) => {
      const sight = await look.atCluster(cluster);
      if (sight) sights.set(cluster.id, sight);
    };
    await pMap(clusters, ask, { concurrency });
    return sights;
  };

  const clusterOrders = (cluster: WatchedCluster, sight: ClusterSight | undefined, known: Known): Order[] => {
    if (sight)
      return onClusterSeen(cluster, sight, { confirmed: sight.kind === 'seen' || confirmation.confirm(cluster.id) });
    if (!silence.isSilent(cluster.id)) return [];
    return onClusterSilent(cluster, known.get(cluster.id)?.at ?? null);
  };

  /** The service that did not answer about a cluster is not asked about all that runs there. */
  const askEndpoints = async (endpoints: readonly WatchedEndpoint[], budIds: ReadonlyMap<string, string>) => {
    const sights = new Map<string, Sight>();
    const ask = async ({ id, cluster_id, namespace }: WatchedEndpoint) => {
      const budId = budIds.get(cluster_id);
      const sight = budId === undefined ? undefined : await look.atWorkers(budId, namespace);
      if (sight !== undefined) sights.set(id, sight);
    };
    await pMap(endpoints, ask, { concurrency });
    return sights;
  };

  const endpointOrders = (
    endpoints: readonly WatchedEndpoint[],
    sights: ReadonlyMap<string, Sight>,
    known: Known,
  ): Order[] => {
    const seen = compareReports(endpoints, sights).flatMap((finding) => {
      const key = `${finding.endpoint.id} ${finding.difference}`;
      return onEndpointSeen(finding, { confirmed: finding.difference !== null && confirmation.confirm(key) });
    });
    const silent = endpoints.filter(({ id }) => !sights.has(id) && silence.isSilent(id));
    const orders = silent.flatMap((endpoint) =>
      onEndpointSilent(endpoint, { last_proof_at: known.get(endpoint.id)?.at ?? null, now: now() }),
    );
    return [...seen, ...orders];
  };

  const forget = async (ids: ReadonlySet<string>, known: Known) => {
    await proofs.forget([...known.values()].filter(({ id, age_ms }) => !ids.has(id) && age_ms > KEEP_MS));
  };

  return async (): Promise<void> => {
    const { clusters, endpoints } = await readModels.listWatched();
    const known: Known = new Map((await proofs.list()).map((proof) => [proof.id, proof]));
    const ids = new Set([...clusters, ...endpoints].map(({ id }) => id));
    listen(ids, known);

    const clusterSights = await askClusters(clusters);
    const answering = clusters.filter(({ id }) => clusterSights.has(id));
    const seen = answering.filter(({ id }) => clusterSights.get(id)?.kind === 'seen');
    for (const { id } of seen) silence.heard(id);
    // A cluster is unavailable before what runs there is unknown, and available before it runs again.
    await perform(clusters.flatMap((cluster) => clusterOrders(cluster, clusterSights.get(cluster.id), known)));

    const budIds = new Map(answering.map(({ id, bud_cluster_id }) => [id, bud_cluster_id]));
    const sights = await askEndpoints(endpoints, budIds);
    for (const id of sights.keys()) silence.heard(id);
    await perform(endpointOrders(endpoints, sights, known));

    const proven: ProofSubject[] = [
      ...seen.map(({ id }) => ({ area: 'cluster' as const, id })),
      ...[...sights.keys()].map((id) => ({ area: 'endpoint' as const, id })),
    ];
    await proofs.record(proven);
    await forget(ids, known);
    confirmation.nextRound();
  };
};
