import { z } from 'zod';
import { WorkflowId } from '../../../events/ids.ts';
import { Reason } from '../../../events/values.ts';
import { workflowCommand } from '../workflow-state.ts';

export const failWorkflow = workflowCommand({
  type: 'FailWorkflow',
  summary: 'Fail a workflow after its rollback',
  permission: 'system',
  data: z.strictObject({ workflow_id: WorkflowId, reason: Reason }),
  target: ({ workflow_id }) => workflow_id,
  decide: (data, { status }) => (status === 'running' ? { type: 'WorkflowFailed', data } : []),
});
