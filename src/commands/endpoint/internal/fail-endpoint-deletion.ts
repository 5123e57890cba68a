import { z } from 'zod';
import { EndpointId, WorkflowId } from '../../../events/ids.ts';
import { Reason } from '../../../events/values.ts';
import { endpointCommand } from '../endpoint-state.ts';
import { isBeingDeleted } from '../rollout.ts';

export const failEndpointDeletion = endpointCommand({
  type: 'FailEndpointDeletion',
  summary: 'Fail the deletion of an endpoint and keep its name and capacity reserved',
  permission: 'system',
  data: z.strictObject({ endpoint_id: EndpointId, workflow_id: WorkflowId, reason: Reason }),
  target: ({ endpoint_id }) => endpoint_id,
  decide: (data, state) => (isBeingDeleted(state, data.workflow_id) ? { type: 'EndpointDeletionFailed', data } : []),
});
