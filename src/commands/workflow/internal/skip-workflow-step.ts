import { z } from 'zod';
import { WorkflowId } from '../../../events/ids.ts';
import { Reason } from '../../../events/values.ts';
import { canStepTo } from '../step.ts';
import { workflowCommand } from '../workflow-state.ts';

export const skipWorkflowStep = workflowCommand({
  type: 'SkipWorkflowStep',
  summary: 'Skip a workflow step',
  permission: 'system',
  data: z.strictObject({ workflow_id: WorkflowId, step: z.string().min(1), reason: Reason }),
  target: ({ workflow_id }) => workflow_id,
  decide: (data, state) => (canStepTo(state, data.step, 'skipped') ? { type: 'WorkflowStepSkipped', data } : []),
});
