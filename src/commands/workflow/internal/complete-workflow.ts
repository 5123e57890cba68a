import { z } from 'zod';
import { WorkflowId } from '../../../events/ids.ts';
import { workflowCommand } from '../workflow-state.ts';

export const completeWorkflow = workflowCommand({
  type: 'CompleteWorkflow',
  summary: 'Complete a workflow',
  permission: 'system',
  data: z.strictObject({ workflow_id: WorkflowId }),
  target: ({ workflow_id }) => workflow_id,
  decide: (data, { status }) => (status === 'running' ? { type: 'WorkflowSucceeded', data } : []),
});
