import { z } from 'zod';
import { rejected } from '../../errors.ts';
import { WorkflowId } from '../../events/ids.ts';
import { cancellationOf } from './cancellation.ts';
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
  decide: (data, state) => {
    const { status, target, cancel_requested } = state;
    if (status !== 'running') throw rejected('workflow-finished', `The workflow is over: it is ${status}.`);
    if (cancel_requested) return [];
    switch (cancellationOf(state)) {
      case 'possible':
        return { type: 'WorkflowCancelRequested', data };
      case 'never':
        throw rejected('workflow-not-cancellable', 'A workflow of this kind cannot be cancelled.', {
          hint: `It ends by itself, or when the ${target.area} is deleted.`,
        });
      case 'decided':
        throw rejected('workflow-not-cancellable', 'It is too late to cancel the workflow: its outcome is decided.', {
          hint: 'Wait until it ends.',
        });
    }
  },
});
