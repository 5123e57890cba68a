import { z } from 'zod';
import { EndpointId, WorkflowId } from '../../../events/ids.ts';
import { Reason } from '../../../events/values.ts';
import { endpointCommand } from '../endpoint-state.ts';
import { changeEnded, isDeployedBy } from '../rollout.ts';

export const cancelEndpoint = endpointCommand({
  type: 'CancelEndpoint',
  summary: 'Mark a deployment as cancelled after its rollback',
  permission: 'system',
  data: z.strictObject({ endpoint_id: EndpointId, workflow_id: WorkflowId, reason: Reason }),
  target: ({ endpoint_id }) => endpoint_id,
  decide: (data, state) =>
    isDeployedBy(state, data.workflow_id)
      ? { type: 'EndpointCancelled', data: { ...data, name: state.name } }
      : (changeEnded(state, data.workflow_id) ?? []),
});
