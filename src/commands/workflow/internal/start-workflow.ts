import { z } from 'zod';
import { ProjectId, UserId, WorkflowId } from '../../../events/ids.ts';
import { Deadline } from '../../../events/values.ts';
import { WorkflowKind, WorkflowTarget } from '../../../events/workflow-events.ts';
import { workflowCreation } from '../workflow-state.ts';

export const startWorkflow = workflowCreation({
  type: 'StartWorkflow',
  summary: 'Start a workflow',
  permission: 'system',
  data: z.strictObject({
    workflow_id: WorkflowId,
    kind: WorkflowKind,
    target: WorkflowTarget,
    project_id: ProjectId.nullable(),
    /** The user who requested the workflow and gets its notifications. */
    user_id: UserId,
    steps: z.array(z.strictObject({ id: z.string().min(1), title: z.string() })).min(1),
    deadline: Deadline,
    /** False: it cannot be cancelled, from the start. */
    cancellable: z.boolean().optional(),
  }),
  target: ({ workflow_id }) => workflow_id,
  decide: (data) => ({ type: 'WorkflowStarted', data }),
});
