import { z } from 'zod';
import { ClusterId, WorkflowId } from '../../events/ids.ts';
import { deadlineAfter } from '../deadlines.ts';
import { assertRetryable } from '../retry.ts';
import { clusterCommand } from './cluster-state.ts';

export const retryRegistration = clusterCommand({
  type: 'RetryRegistration',
  summary: 'Register a cluster again whose registration failed or was cancelled',
  permission: 'cluster:manage',
  data: z.strictObject({
    cluster_id: ClusterId,
    /** The workflow of the registration. */
    workflow_id: WorkflowId,
  }),
  target: ({ cluster_id }) => cluster_id,
  reserves: (_data, { name }) => ({ kind: 'cluster', name }),
  decide: ({ cluster_id, workflow_id }, state, { make, now, deadlines }) => {
    const is_undone = state.status === 'error' && !state.holds_name;
    assertRetryable({ state, area: 'cluster', is_undone }, workflow_id);
    const { name, cluster_type, ingress_url, configuration } = state;
    return {
      type: 'ClusterRegistrationRequested',
      data: {
        ...{ cluster_id, name, cluster_type, ingress_url, configuration },
        workflow_id: WorkflowId.parse(make('workflow')),
        deadline: deadlineAfter(now, deadlines.cluster_onboarding),
        retries: workflow_id,
      },
    };
  },
});
