import { z } from 'zod';
import { EndpointId, WorkflowId } from '../../../events/ids.ts';
import { Reason } from '../../../events/values.ts';
import { backoff } from '../../../resilience/backoff.ts';
import { deadlineAfter } from '../../deadlines.ts';
import { endpointCommand } from '../endpoint-state.ts';
import { isBeingRepaired } from '../rollout.ts';

const PAUSE = { first_ms: 30_000, longest_ms: 900_000 };

/** Without chance, which `decide` does not have: each endpoint fails at its own time. */
const pauseSeconds = (attempt: number): number => backoff(attempt, PAUSE, () => 1) / 1000;

export const failEndpointRepair = endpointCommand({
  type: 'FailEndpointRepair',
  summary: 'Record that the repair of an endpoint has failed',
  permission: 'system',
  data: z.strictObject({ endpoint_id: EndpointId, workflow_id: WorkflowId, reason: Reason }),
  target: ({ endpoint_id }) => endpoint_id,
  decide: (data, state, { now }) => {
    if (!isBeingRepaired(state, data.workflow_id)) return [];
    const retry_at = deadlineAfter(now, pauseSeconds(state.repair.attempt));
    return { type: 'EndpointRepairFailed', data: { ...data, retry_at } };
  },
});
