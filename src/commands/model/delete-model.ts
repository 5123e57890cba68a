import { z } from 'zod';
import { ModelId } from '../../events/ids.ts';
import { modelCommand } from './model-state.ts';

export const deleteModel = modelCommand({
  type: 'DeleteModel',
  summary: 'Delete a model without live endpoints',
  permission: 'model:manage',
  data: z.strictObject({ model_id: ModelId }),
  target: ({ model_id }) => model_id,
  refusedWhileInUse: 'model',
  decide: ({ model_id }, state) => {
    const { status, name, artefact, workflow_id } = state;
    const local_path = status === 'active' ? state.local_path : undefined;
    const ends = status === 'onboarding' ? { ends: workflow_id } : {};
    return { type: 'ModelDeleted', data: { model_id, name, artefact, local_path, ...ends } };
  },
});
