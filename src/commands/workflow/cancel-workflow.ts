import { z } from 'zod';
import { Rejected, rejected } from '../../errors.ts';
import { WorkflowId } from '../../events/ids.ts';
import { allows } from '../access.ts';
import { workflowCommand } from './workflow-state.ts';

export const cancelWorkflow = workflowCommand({
  type: 'CancelWorkflow',
  summary: 'Cancel a workflow and roll it back',
  permission: 'endpoint:manage',
  data: z.strictObject({ workflow_id: WorkflowId }),
  target: ({ workflow_id }) => workflow_id,
  decide: (data, { status, kind, target, project_id, cancel_requested }, { caller }) => {
    const scope = `${target.area}:manage` as const;
    // Whoever may not change the thing may not call off its change either.
    if (!allows(caller.access, scope, project_id)) {
      throw new Rejected('forbidden', 'not-permitted', `This takes the scope ${scope}.`);
    }
    if (status !== 'running') throw rejected('workflow-finished', `The workflow is over: it is ${status}.`);
    if (kind === 'endpoint-recovery' || kind === 'cluster-recovery') {
      throw rejected('workflow-not-cancellable', `As long as the ${target.area} is not well, it is looked after.`, {
        hint: `It ends by itself, also when the ${target.area} is deleted.`,
      });
    }
    return cancel_requested ? [] : { type: 'WorkflowCancelRequested', data };
  },
});
