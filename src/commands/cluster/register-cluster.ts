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

const MAX_CONFIGURATION_CHARACTERS = 1_000_000;
/** As UTF-8. A kubeconfig with certificates has tens of KiB. */
export const MAX_CONFIGURATION_BYTES = 1024 * 1024;

const CONFIGURATION = `The kubeconfig, with a current context whose cluster and user are in it; at most 1 MiB as UTF-8. Where the
cluster service is the local one, its cluster is the machine itself: that needs none, and any text is taken. With
EventStoreDB, a text of more than 640 KiB must become smaller by a tenth or more when it is compressed, as every kubeconfig does.`;

const assertSize = (text: string): void => {
  if (Buffer.byteLength(text) <= MAX_CONFIGURATION_BYTES) return;
  const detail = `may have at most ${MAX_CONFIGURATION_BYTES} bytes as UTF-8`;
  throw new Rejected('invalid', 'configuration-too-large', `The configuration ${detail}.`, {
    errors: [{ pointer: '/configuration', detail }],
  });
};

export const registerCluster = clusterCreation({
  type: 'RegisterCluster',
  summary: 'Register a cluster',
  permission: 'cluster:manage',
  // In JSON a character may take twelve bytes: two escapes.
  max_body_bytes: 12 * MAX_CONFIGURATION_CHARACTERS + 64 * 1024,
  data: z.strictObject({
    name: ResourceName,
    cluster_type: ClusterType.default('ON_PREM'),
    ingress_url: IngressUrl.default(''),
    /** Stored sealed. */
    configuration: z.string().min(1).max(MAX_CONFIGURATION_CHARACTERS).meta({ description: CONFIGURATION }),
  }),
  target: (_data, make) => make('cluster'),
  project: () => null,
  reserves: ({ name }) => ({ kind: 'cluster', name }),
  seals: (_data, id) => id,
  decide: ({ configuration, ...data }, _state, { id, make, seal, now, deadlines, cluster_configuration }) => {
    assertSize(configuration);
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
