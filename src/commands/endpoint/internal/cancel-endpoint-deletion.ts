import { z } from 'zod';
import type { EndpointFact } from '../../../events/catalog.ts';
import { EndpointId, WorkflowId } from '../../../events/ids.ts';
import { Reason } from '../../../events/values.ts';
import { deadlineAfter } from '../../deadlines.ts';
import { endpointCommand } from '../endpoint-state.ts';
import { recoveryOf } from '../recovery.ts';
import { isBeingDeleted } from '../rollout.ts';

export const cancelEndpointDeletion = endpointCommand({
  type: 'CancelEndpointDeletion',
  summary: 'Cancel the deletion of an endpoint of which nothing was removed yet',
  permission: 'system',
  data: z.strictObject({ endpoint_id: EndpointId, workflow_id: WorkflowId, reason: Reason }),
  target: ({ endpoint_id }) => endpoint_id,
  decide: (data, state, { make, now, deadlines }): EndpointFact[] => {
    if (!isBeingDeleted(state, data.workflow_id) || !state.before) return [];
    const { endpoint_id } = data;
    const { before } = state;
    const cancelled = { type: 'EndpointDeletionCancelled', data } as const;
    // What is unknown turns out by itself: whoever watches the cluster goes on asking.
    if (before.status !== 'degraded') return [cancelled];
    // As it was. Its recovery ended with the request, and begins anew.
    const { replicas, ingress_healthy, workers } = before.observed;
    const reason = {
      code: before.recovery?.cause ?? 'replicas-missing',
      message: 'The endpoint was degraded when its deletion was requested. It is being checked again.',
    };
    const observed = { replicas, ingress_healthy, workers: [...workers] };
    const recovery = recoveryOf(before, { workflow_id: WorkflowId.parse(make('recovery')), cause: reason.code });
    const deadline = deadlineAfter(now, deadlines.degraded);
    return [cancelled, { type: 'EndpointDegraded', data: { endpoint_id, ...observed, reason, deadline, ...recovery } }];
  },
});
