import { z } from 'zod';
import { WorkflowId } from '../../../events/ids.ts';
import { Deadline } from '../../../events/values.ts';
import { canStepTo } from '../step.ts';
import { workflowCommand } from '../workflow-state.ts';

export const startWorkflowStep = workflowCommand({
  type: 'StartWorkflowStep',
  summary: 'Start a workflow step',
  permission: 'system',
  data: z.strictObject({ workflow_id: WorkflowId, step: z.string().min(1), message: z.string(), deadline: Deadline }),
  target: ({ workflow_id }) => workflow_id,
  decide: (data, state) => {
    // A step from whose start on nothing can be cancelled must not start after the request: whichever is first counts.
    if (state.cancel_requested && !state.undoing) return [];
    return canStepTo(state, data.step, 'running') ? { type: 'WorkflowStepStarted', data } : [];
  },
});
