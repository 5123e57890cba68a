import { z } from 'zod';
import { WorkflowId } from '../../../events/ids.ts';
import { workflowCommand } from '../workflow-state.ts';

export const fireWorkflowTimer = workflowCommand({
  type: 'FireWorkflowTimer',
  summary: 'Fire a workflow timer',
  permission: 'system',
  data: z.strictObject({ workflow_id: WorkflowId, timer: z.string().min(1) }),
  target: ({ workflow_id }) => workflow_id,
  decide: (data, { status }) => (status === 'running' ? { type: 'WorkflowTimerFired', data } : []),
});
