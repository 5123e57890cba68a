import { z } from 'zod';
import { WorkflowId } from '../../../events/ids.ts';
import { workflowCommand } from '../workflow-state.ts';

export const recordCallAnswer = workflowCommand({
  type: 'RecordCallAnswer',
  summary: 'Record the answer of a service call',
  permission: 'system',
  data: z.strictObject({
    workflow_id: WorkflowId,
    call: z.string().min(1),
    service_workflow_id: z.string().nullable(),
    answer: z.unknown().optional(),
  }),
  target: ({ workflow_id }) => workflow_id,
  decide: (data, { status }) => (status === 'running' ? { type: 'WorkflowCallAnswered', data } : []),
});
