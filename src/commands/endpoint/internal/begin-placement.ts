import { z } from 'zod';
import { EndpointId, WorkflowId } from '../../../events/ids.ts';
import { Deadline } from '../../../events/values.ts';
import { need } from '../../command.ts';
import { model } from '../../model/model-state.ts';
import { project } from '../../project/project-state.ts';
import { endpointCommand } from '../endpoint-state.ts';
import { assertStillExist } from '../still-exist.ts';

export const beginPlacement = endpointCommand({
  type: 'BeginPlacement',
  summary: 'Begin the placement of an endpoint',
  permission: 'system',
  data: z.strictObject({ endpoint_id: EndpointId, workflow_id: WorkflowId, deadline: Deadline }),
  target: ({ endpoint_id }) => endpoint_id,
  needs: (_data, { project_id, model_id }) => ({ project: need(project, project_id), model: need(model, model_id) }),
  decide: (data, { status, workflow_id }, { needs }) => {
    if (status !== 'pending' || workflow_id !== data.workflow_id) return [];
    // The simulator would fail at the missing file, and its reason would say nothing of this one.
    assertStillExist(needs);
    return { type: 'EndpointPlacementStarted', data };
  },
});
