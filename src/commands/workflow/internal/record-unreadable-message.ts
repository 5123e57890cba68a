import { z } from 'zod';
import { WorkflowId } from '../../../events/ids.ts';
import { decideUnreadable } from '../service-message.ts';
import { workflowCommand } from '../workflow-state.ts';

export const recordUnreadableMessage = workflowCommand({
  type: 'RecordUnreadableMessage',
  summary: 'Record that a message of another service about a workflow cannot be read',
  permission: 'system',
  data: z.strictObject({
    workflow_id: WorkflowId,
    /** What is wrong with it, for the reason of the failure. */
    why: z.string().min(1).max(500),
  }),
  target: ({ workflow_id }) => workflow_id,
  decide: decideUnreadable,
});
