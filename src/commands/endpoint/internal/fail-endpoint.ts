import { z } from 'zod';
import { EndpointId, WorkflowId } from '../../../events/ids.ts';
import { Reason } from '../../../events/values.ts';
import { endpointCommand } from '../endpoint-state.ts';
import { changeEnded, isDeployedBy } from '../rollout.ts';

export const failEndpoint = endpointCommand({
  type: 'FailEndpoint',
  summary: 'Fail a deployment after its rollback and release its name',
  permission: 'system',
  data: z.strictObject({ endpoint_id: EndpointId, workflow_id: WorkflowId, reason: Reason }),
  target: ({ endpoint_id }) => endpoint_id,
  decide: (data, state) =>
    isDeployedBy(state, data.workflow_id)
      ? { type: 'EndpointFailed', data: { ...data, name: state.name } }
      : (changeEnded(state, data.workflow_id) ?? []),
});
