import { z } from 'zod';
import { ClusterType } from '../../events/cluster-events.ts';
import { ClusterId, WorkflowId } from '../../events/ids.ts';
import { ResourceName } from '../../events/values.ts';
import { deadlineAfter } from '../deadlines.ts';
import { clusterCreation } from './cluster-state.ts';
import { IngressUrl } from './ingress-url.ts';

export const registerCluster = clusterCreation({
  type: 'RegisterCluster',
  summary: 'Register a cluster',
  permission: 'cluster:manage',
  data: z.strictObject({
    name: ResourceName,
    cluster_type: ClusterType.default('ON_PREM'),
    ingress_url: IngressUrl.default(''),
    /** The kubeconfig; stored sealed. */
    configuration: z.string().min(1).max(1_000_000),
  }),
  target: (_data, make) => make('cluster'),
  project: () => null,
  reserves: ({ name }) => ({ kind: 'cluster', name }),
  seals: (_data, id) => id,
  decide: ({ configuration, ...data }, _state, { id, make, seal, now, deadlines }) => ({
    type: 'ClusterRegistrationRequested',
    data: {
      ...data,
      cluster_id: ClusterId.parse(id),
      configuration: seal(configuration),
      workflow_id: WorkflowId.parse(make('workflow')),
      deadline: deadlineAfter(now, deadlines.cluster_onboarding),
    },
  }),
});
