import { z } from 'zod';
import { rejected } from '../../errors.ts';
import type { ClusterFact } from '../../events/catalog.ts';
import { ClusterId } from '../../events/ids.ts';
import { ResourceName } from '../../events/values.ts';
import { clusterCommand } from './cluster-state.ts';
import { IngressUrl } from './ingress-url.ts';

export const updateCluster = clusterCommand({
  type: 'UpdateCluster',
  summary: 'Update the name or ingress URL of a cluster',
  permission: 'cluster:manage',
  data: z.strictObject({ cluster_id: ClusterId, name: ResourceName.optional(), ingress_url: IngressUrl.optional() }),
  target: ({ cluster_id }) => cluster_id,
  reserves: ({ name }, state) => (name === undefined || name === state.name ? null : { kind: 'cluster', name }),
  decide: ({ cluster_id, name, ingress_url }, state) => {
    if (!state.holds_name) {
      throw rejected('cluster-not-registered', 'The registration of this cluster failed.', {
        hint: 'Delete the cluster and register it again.',
      });
    }
    if (state.status === 'deleting') throw rejected('cluster-deleting', 'The cluster is being deleted.');
    const facts: ClusterFact[] = [];
    if (name !== undefined && name !== state.name) {
      facts.push({ type: 'ClusterRenamed', data: { cluster_id, name, previous_name: state.name } });
    }
    if (ingress_url !== undefined && ingress_url !== state.ingress_url) {
      facts.push({ type: 'ClusterIngressChanged', data: { cluster_id, ingress_url } });
    }
    return facts;
  },
});
