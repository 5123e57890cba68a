import { z } from 'zod';
import { EndpointId, WorkflowId } from '../../../events/ids.ts';
import { Reason } from '../../../events/values.ts';
import { endpointCommand } from '../endpoint-state.ts';
import { observedFields } from '../observed.ts';
import { changeEnded } from '../rollout.ts';

export const failEndpointScaling = endpointCommand({
  type: 'FailEndpointScaling',
  summary: 'End the scaling of an endpoint that has failed or was cancelled',
  permission: 'system',
  data: z.strictObject({
    endpoint_id: EndpointId,
    workflow_id: WorkflowId,
    reason: Reason,
    /** The desired number from now on; default: as before the scaling. */
    replicas: z.int().min(0).optional(),
    /** What the cluster has. */
    observed: z.object(observedFields).optional(),
  }),
  target: ({ endpoint_id }) => endpoint_id,
  decide: (data, state) => {
    if (state.status !== 'updating' || state.workflow_id !== data.workflow_id) {
      return changeEnded(state, data.workflow_id) ?? [];
    }
    return { type: 'EndpointScalingFailed', data: { ...data, replicas: data.replicas ?? state.previous_replicas } };
  },
});
