import { z } from 'zod';
import { EndpointId, WorkflowId } from '../../../events/ids.ts';
import { Deadline, Reason } from '../../../events/values.ts';
import { endpointCommand } from '../endpoint-state.ts';

export const recordEndpointCleanupPending = endpointCommand({
  type: 'RecordEndpointCleanupPending',
  summary: 'Record that something of an endpoint may be left on its cluster',
  permission: 'system',
  data: z.strictObject({ endpoint_id: EndpointId, workflow_id: WorkflowId, reason: Reason, deadline: Deadline }),
  target: ({ endpoint_id }) => endpoint_id,
  // A change that a deletion has ended is shown as that deletion, with the deletion's own deadline.
  decide: (data, { status, workflow_id }) => {
    const isOver = status === 'failed' || status === 'cancelled' || status === 'deleted';
    return isOver || workflow_id !== data.workflow_id ? [] : { type: 'EndpointCleanupPending', data };
  },
});
