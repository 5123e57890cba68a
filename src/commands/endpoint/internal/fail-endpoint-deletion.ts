import { z } from 'zod';
import { EndpointId, WorkflowId } from '../../../events/ids.ts';
import { Reason } from '../../../events/values.ts';
import { endpointCommand } from '../endpoint-state.ts';
import { isBeingDeleted } from '../rollout.ts';

export const failEndpointDeletion = endpointCommand({
  type: 'FailEndpointDeletion',
  summary: 'Give up the deletion of an endpoint: something may be left on the cluster, so name and capacity stay held',
  permission: 'system',
  data: z.strictObject({ endpoint_id: EndpointId, workflow_id: WorkflowId, reason: Reason }),
  target: ({ endpoint_id }) => endpoint_id,
  decide: (data, state) => (isBeingDeleted(state, data.workflow_id) ? { type: 'EndpointDeletionFailed', data } : []),
});
