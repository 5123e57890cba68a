import { z } from 'zod';
import { EndpointId, WorkflowId } from '../../../events/ids.ts';
import { Reason } from '../../../events/values.ts';
import { deadlineAfter } from '../../deadlines.ts';
import { repairPauseSeconds } from '../../repair-pause.ts';
import { endpointCommand } from '../endpoint-state.ts';
import { isBeingRepaired } from '../rollout.ts';

export const failEndpointRepair = endpointCommand({
  type: 'FailEndpointRepair',
  summary: 'Record that the repair of an endpoint has failed',
  permission: 'system',
  data: z.strictObject({ endpoint_id: EndpointId, workflow_id: WorkflowId, reason: Reason }),
  target: ({ endpoint_id }) => endpoint_id,
  decide: (data, state, { now }) => {
    if (!isBeingRepaired(state, data.workflow_id)) return [];
    const retry_at = deadlineAfter(now, repairPauseSeconds(state.repair.attempt));
    return { type: 'EndpointRepairFailed', data: { ...data, retry_at } };
  },
});
