import { z } from 'zod';
import { rejected } from '../../errors.ts';
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
    if (status === 'onboarding') {
      throw rejected('model-onboarding', 'The model is still being onboarded.', {
        hint: `Wait, or cancel the workflow ${workflow_id} first.`,
      });
    }
    const local_path = status === 'active' ? state.local_path : undefined;
    return { type: 'ModelDeleted', data: { model_id, name, artefact, local_path } };
  },
});
