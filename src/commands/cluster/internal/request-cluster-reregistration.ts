import { z } from 'zod';
import { ClusterId, WorkflowId } from '../../../events/ids.ts';
import { deadlineAfter } from '../../deadlines.ts';
import { clusterCommand } from '../cluster-state.ts';

const message = 'The cluster service does not know the cluster any more. It is being registered there again.';

export const requestClusterReregistration = clusterCommand({
  type: 'RequestClusterReregistration',
  summary: 'Register a cluster again that the cluster service has forgotten',
  permission: 'system',
  data: z.strictObject({ cluster_id: ClusterId }),
  target: ({ cluster_id }) => cluster_id,
  decide: ({ cluster_id }, state, { make, now, deadlines }) => {
    const { status, requested_by, reregistration, name, cluster_type, ingress_url, configuration } = state;
    if (status !== 'unavailable' || requested_by === null) return [];
    // One at a time, and after one that failed not at once.
    if (reregistration && Date.parse(now) < Date.parse(reregistration.until)) return [];
    return {
      type: 'ClusterReregistrationRequested',
      data: {
        cluster_id,
        workflow_id: WorkflowId.parse(make('reregistration')),
        user_id: requested_by,
        ...{ name, cluster_type, ingress_url, configuration },
        attempt: (reregistration?.attempt ?? 0) + 1,
        reason: { code: 'cluster-unknown-there', message },
        deadline: deadlineAfter(now, deadlines.cluster_onboarding),
      },
    };
  },
});
