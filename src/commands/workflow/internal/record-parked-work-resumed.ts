import { z } from 'zod';
import { WorkflowParkedWorkResumed } from '../../../events/workflow-events.ts';
import { workflowCommand } from '../workflow-state.ts';

export const recordParkedWorkResumed = workflowCommand({
  type: 'RecordParkedWorkResumed',
  summary: 'Record that an operator retried, changed or skipped parked work',
  permission: 'system',
  data: z.strictObject(WorkflowParkedWorkResumed.data.shape),
  target: ({ workflow_id }) => workflow_id,
  // What cleans up after a workflow can be parked, too.
  decide: (data) => ({ type: 'WorkflowParkedWorkResumed', data }),
});
