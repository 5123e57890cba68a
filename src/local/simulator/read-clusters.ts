import { z } from 'zod';
import { NodesAnswer } from '../../contracts/budcluster.ts';
import type { ClusterFacts } from './placement.ts';

const ANSWER_TIMEOUT_MS = 5_000;

/** The local cluster service's own list, which the platform's contract does not have. */
const ClusterList = z.looseObject({ items: z.array(z.looseObject({ id: z.string(), name: z.string() })) });

/**
 * All clusters that the local cluster service has registered, measured now. `headers`: what stands between wants to see,
 * a sidecar's token say.
 */
export const readClusters = async (
  clusterServiceUrl: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<ClusterFacts[]> => {
  const getJson = async (url: string): Promise<unknown> => {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    if (!response.ok) throw new Error(`${url} answered ${response.status}`);
    return response.json();
  };
  const { items } = ClusterList.parse(await getJson(`${clusterServiceUrl}/clusters`));
  return Promise.all(
    items.map(async ({ id, name }) => {
      const answer = await getJson(`${clusterServiceUrl}/cluster/${encodeURIComponent(id)}/nodes`);
      return { cluster_id: id, name, nodes: NodesAnswer.parse(answer).nodes };
    }),
  );
};
