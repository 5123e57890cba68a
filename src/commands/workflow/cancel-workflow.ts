import { z } from 'zod';
import { rejected } from '../../errors.ts';
import { WorkflowId } from '../../events/ids.ts';
import { workflowCommand } from './workflow-state.ts';

export const cancelWorkflow = workflowCommand({
  type: 'CancelWorkflow',
  summary: 'Cancel a workflow and roll it back',
  // Cancelling a change requires the same scope as making it.
  permission: {
    any_of: ['endpoint:manage', 'model:manage', 'cluster:manage'],
    of: ({ target }) => `${target.area}:manage`,
  },
  data: z.strictObject({ workflow_id: WorkflowId }),
  target: ({ workflow_id }) => workflow_id,
  decide: (data, { status, kind, target, cancel_requested }) => {
    if (status !== 'running') throw rejected('workflow-finished', `The workflow is over: it is ${status}.`);
    if (kind === 'endpoint-recovery' || kind === 'cluster-recovery') {
      throw rejected(
        'workflow-not-cancellable',
        `The recovery of a ${target.area} cannot be cancelled while it is degraded or unavailable.`,
        {
          hint: `It ends when the ${target.area} has recovered or is deleted.`,
        },
      );
    }
    return cancel_requested ? [] : { type: 'WorkflowCancelRequested', data };
  },
});
