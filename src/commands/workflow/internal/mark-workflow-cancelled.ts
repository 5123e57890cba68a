import { z } from 'zod';
import { WorkflowId } from '../../../events/ids.ts';
import { Reason } from '../../../events/values.ts';
import { workflowCommand } from '../workflow-state.ts';

export const markWorkflowCancelled = workflowCommand({
  type: 'MarkWorkflowCancelled',
  summary: 'Mark a workflow as cancelled after its rollback',
  permission: 'system',
  data: z.strictObject({ workflow_id: WorkflowId, reason: Reason }),
  target: ({ workflow_id }) => workflow_id,
  decide: (data, { status }) => (status === 'running' ? { type: 'WorkflowCancelled', data } : []),
});
