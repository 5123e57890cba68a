import { z } from 'zod';
import { EndpointId, WorkflowId } from '../../../events/ids.ts';
import { Reason } from '../../../events/values.ts';
import { endpointCommand } from '../endpoint-state.ts';

export const failEndpointScaling = endpointCommand({
  type: 'FailEndpointScaling',
  summary: 'Fail the scaling of an endpoint and keep its replicas',
  permission: 'system',
  data: z.strictObject({ endpoint_id: EndpointId, workflow_id: WorkflowId, reason: Reason }),
  target: ({ endpoint_id }) => endpoint_id,
  decide: (data, state) => {
    if (state.status !== 'updating' || state.workflow_id !== data.workflow_id) return [];
    return { type: 'EndpointScalingFailed', data: { ...data, replicas: state.previous_replicas } };
  },
});
