import { z } from 'zod';
import { EndpointId, WorkflowId } from '../../../events/ids.ts';
import { endpointCommand } from '../endpoint-state.ts';
import { observedFields } from '../observed.ts';

export const recordEndpointScaled = endpointCommand({
  type: 'RecordEndpointScaled',
  summary: 'Record that an endpoint reached the desired replicas',
  permission: 'system',
  data: z.strictObject({ endpoint_id: EndpointId, workflow_id: WorkflowId, ...observedFields }),
  target: ({ endpoint_id }) => endpoint_id,
  decide: (data, { status, workflow_id }) =>
    status === 'updating' && workflow_id === data.workflow_id ? { type: 'EndpointScaled', data } : [],
});
