import { z } from 'zod';
import { EndpointId, WorkflowId } from '../../../events/ids.ts';
import { Deadline } from '../../../events/values.ts';
import { endpointCommand } from '../endpoint-state.ts';

export const beginPlacement = endpointCommand({
  type: 'BeginPlacement',
  summary: 'Begin the placement of an endpoint',
  permission: 'system',
  data: z.strictObject({ endpoint_id: EndpointId, workflow_id: WorkflowId, deadline: Deadline }),
  target: ({ endpoint_id }) => endpoint_id,
  decide: (data, { status, workflow_id }) =>
    status === 'pending' && workflow_id === data.workflow_id ? { type: 'EndpointPlacementStarted', data } : [],
});
