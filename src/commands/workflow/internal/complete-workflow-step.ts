import { z } from 'zod';
import { WorkflowId } from '../../../events/ids.ts';
import { canStepTo } from '../step.ts';
import { workflowCommand } from '../workflow-state.ts';

export const completeWorkflowStep = workflowCommand({
  type: 'CompleteWorkflowStep',
  summary: 'Complete a workflow step',
  permission: 'system',
  data: z.strictObject({ workflow_id: WorkflowId, step: z.string().min(1), message: z.string() }),
  target: ({ workflow_id }) => workflow_id,
  decide: (data, state) => (canStepTo(state, data.step, 'succeeded') ? { type: 'WorkflowStepSucceeded', data } : []),
});
