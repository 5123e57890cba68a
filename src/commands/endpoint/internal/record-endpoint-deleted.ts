import { z } from 'zod';
import { EndpointId, WorkflowId } from '../../../events/ids.ts';
import { endpointCommand } from '../endpoint-state.ts';
import { isBeingDeleted } from '../rollout.ts';

export const recordEndpointDeleted = endpointCommand({
  type: 'RecordEndpointDeleted',
  summary: 'Record that an endpoint is deleted and release its name',
  permission: 'system',
  data: z.strictObject({ endpoint_id: EndpointId, workflow_id: WorkflowId }),
  target: ({ endpoint_id }) => endpoint_id,
  decide: (data, state) =>
    isBeingDeleted(state, data.workflow_id) ? { type: 'EndpointDeleted', data: { ...data, name: state.name } } : [],
});
