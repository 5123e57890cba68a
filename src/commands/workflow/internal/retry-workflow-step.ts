import { z } from 'zod';
import { WorkflowId } from '../../../events/ids.ts';
import { Deadline, Reason } from '../../../events/values.ts';
import { findStep } from '../step.ts';
import { workflowCommand } from '../workflow-state.ts';

export const retryWorkflowStep = workflowCommand({
  type: 'RetryWorkflowStep',
  summary: 'Try a workflow step again that did not end in time',
  permission: 'system',
  data: z.strictObject({ workflow_id: WorkflowId, step: z.string().min(1), reason: Reason, deadline: Deadline }),
  target: ({ workflow_id }) => workflow_id,
  decide: (data, state) => {
    const step = findStep(state, data.step);
    if (state.status !== 'running' || !step || step.status === 'succeeded' || step.status === 'skipped') return [];
    return { type: 'WorkflowStepRetried', data };
  },
});
