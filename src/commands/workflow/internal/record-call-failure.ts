import { z } from 'zod';
import { WorkflowId } from '../../../events/ids.ts';
import { Reason } from '../../../events/values.ts';
import { workflowCommand } from '../workflow-state.ts';

export const recordCallFailure = workflowCommand({
  type: 'RecordCallFailure',
  summary: 'Record that a service call failed permanently',
  permission: 'system',
  data: z.strictObject({
    workflow_id: WorkflowId,
    call: z.string().min(1),
    attempts: z.int().min(1),
    reason: Reason,
    status: z.int().optional(),
  }),
  target: ({ workflow_id }) => workflow_id,
  decide: (data, { status }) => (status === 'running' ? { type: 'WorkflowCallFailed', data } : []),
});
