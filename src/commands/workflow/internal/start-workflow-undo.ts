import { z } from 'zod';
import { WorkflowId } from '../../../events/ids.ts';
import { Deadline, Reason } from '../../../events/values.ts';
import { workflowCommand } from '../workflow-state.ts';

export const startWorkflowUndo = workflowCommand({
  type: 'StartWorkflowUndo',
  summary: 'Begin to take back what a workflow did',
  permission: 'system',
  data: z.strictObject({
    workflow_id: WorkflowId,
    reason: Reason,
    /** In the order in which they are done. */
    steps: z.array(z.strictObject({ id: z.string().min(1), title: z.string() })),
    deadline: Deadline,
  }),
  target: ({ workflow_id }) => workflow_id,
  decide: (data, { status, undoing }) =>
    status === 'running' && !undoing ? { type: 'WorkflowUndoStarted', data } : [],
});
