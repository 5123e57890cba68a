import { z } from 'zod';
import { ClusterId } from '../../../events/ids.ts';
import { Reason } from '../../../events/values.ts';
import { clusterCommand } from '../cluster-state.ts';

export const failClusterRegistration = clusterCommand({
  type: 'FailClusterRegistration',
  summary: 'Fail the registration of a cluster and release its name',
  permission: 'system',
  data: z.strictObject({ cluster_id: ClusterId, reason: Reason }),
  target: ({ cluster_id }) => cluster_id,
  decide: ({ cluster_id, reason }, { status }) =>
    status === 'registering' ? { type: 'ClusterRegistrationFailed', data: { cluster_id, reason } } : [],
});
