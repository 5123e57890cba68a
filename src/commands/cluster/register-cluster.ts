import { z } from 'zod';
import { Rejected } from '../../errors.ts';
import { ClusterType } from '../../events/cluster-events.ts';
import { ClusterId, WorkflowId } from '../../events/ids.ts';
import { ResourceName } from '../../events/values.ts';
import { deadlineAfter } from '../deadlines.ts';
import { clusterCreation } from './cluster-state.ts';
import { IngressUrl } from './ingress-url.ts';
import { kubeconfigFault } from './kubeconfig.ts';

const assertKubeconfig = (text: string): void => {
  const fault = kubeconfigFault(text);
  if (fault === null) return;
  throw new Rejected('invalid', 'invalid-kubeconfig', `The configuration ${fault}.`, {
    hint: 'Send the output of "kubectl config view --minify --flatten --raw" for the cluster.',
    errors: [{ pointer: '/configuration', detail: fault }],
  });
};

export const registerCluster = clusterCreation({
  type: 'RegisterCluster',
  summary: 'Register a cluster',
  permission: 'cluster:manage',
  data: z.strictObject({
    name: ResourceName,
    cluster_type: ClusterType.default('ON_PREM'),
    ingress_url: IngressUrl.default(''),
    /** Stored sealed. */
    configuration: z.string().min(1).max(1_000_000).meta({
      description:
        'The kubeconfig, with a current context whose cluster and user are in it. Where the cluster service is the local one, its cluster is the machine itself: that needs none, and any text is taken.',
    }),
  }),
  target: (_data, make) => make('cluster'),
  project: () => null,
  reserves: ({ name }) => ({ kind: 'cluster', name }),
  seals: (_data, id) => id,
  decide: ({ configuration, ...data }, _state, { id, make, seal, now, deadlines, cluster_configuration }) => {
    if (cluster_configuration === 'kubeconfig') assertKubeconfig(configuration);
    return {
      type: 'ClusterRegistrationRequested',
      data: {
        ...data,
        cluster_id: ClusterId.parse(id),
        configuration: seal(configuration),
        workflow_id: WorkflowId.parse(make('workflow')),
        deadline: deadlineAfter(now, deadlines.cluster_onboarding),
      },
    };
  },
});
