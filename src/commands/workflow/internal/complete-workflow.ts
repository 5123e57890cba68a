import { z } from 'zod';
import { WorkflowId } from '../../../events/ids.ts';
import { workflowCommand } from '../workflow-state.ts';

export const completeWorkflow = workflowCommand({
  type: 'CompleteWorkflow',
  summary: 'End a workflow well',
  permission: 'system',
  data: z.strictObject({ workflow_id: WorkflowId }),
  target: ({ workflow_id }) => workflow_id,
  decide: (data, { status }) => (status === 'running' ? { type: 'WorkflowSucceeded', data } : []),
});
