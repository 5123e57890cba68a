import { z } from 'zod';
import { WorkflowId } from '../../../events/ids.ts';
import { Reason } from '../../../events/values.ts';
import { workflowCommand } from '../workflow-state.ts';

export const recordCommandRefusal = workflowCommand({
  type: 'RecordCommandRefusal',
  summary: 'Record that a command of a process manager was refused',
  permission: 'system',
  data: z.strictObject({ workflow_id: WorkflowId, command: z.string().min(1), reason: Reason }),
  target: ({ workflow_id }) => workflow_id,
  decide: (data, { status }) => (status === 'running' ? { type: 'WorkflowCommandRefused', data } : []),
});
