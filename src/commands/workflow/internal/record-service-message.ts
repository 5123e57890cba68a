import { z } from 'zod';
import { WorkflowId } from '../../../events/ids.ts';
import { decideMessage } from '../service-message.ts';
import { workflowCommand } from '../workflow-state.ts';

export const recordServiceMessage = workflowCommand({
  type: 'RecordServiceMessage',
  summary: 'Record a message of another service about a workflow',
  permission: 'system',
  data: z.strictObject({
    workflow_id: WorkflowId,
    message_id: z.string(),
    /** `payload.type` */
    message_type: z.string().min(1),
    /** A step id, `eta` or `results`. */
    message_event: z.string().min(1),
    /** `STARTED`, `RUNNING`, `COMPLETED` or `FAILED`. */
    status: z.string().default(''),
    title: z.string().default(''),
    text: z.string().default(''),
    result: z.unknown().optional(),
  }),
  target: ({ workflow_id }) => workflow_id,
  decide: decideMessage,
});
