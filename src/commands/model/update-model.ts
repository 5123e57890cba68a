import { z } from 'zod';
import { rejected } from '../../errors.ts';
import type { ModelFact } from '../../events/catalog.ts';
import { ModelId } from '../../events/ids.ts';
import { ResourceName } from '../../events/values.ts';
import { changedDescription, descriptionChange } from '../description.ts';
import { modelCommand } from './model-state.ts';

export const updateModel = modelCommand({
  type: 'UpdateModel',
  summary: 'Update the name or description of a model',
  permission: 'model:manage',
  data: z.strictObject({ model_id: ModelId, name: ResourceName.optional(), ...descriptionChange }),
  target: ({ model_id }) => model_id,
  reserves: ({ name }, state) => (name === undefined || name === state.name ? null : { kind: 'model', name }),
  decide: ({ model_id, name, ...change }, state) => {
    if (state.status === 'failed') {
      throw rejected('model-failed', 'The onboarding of this model failed.', {
        hint: 'Delete the model and register or upload it again.',
      });
    }
    const facts: ModelFact[] = [];
    if (name !== undefined && name !== state.name) {
      facts.push({ type: 'ModelRenamed', data: { model_id, name, previous_name: state.name } });
    }
    const described = changedDescription(change, state);
    if (described) facts.push({ type: 'ModelDescribed', data: { model_id, ...described } });
    return facts;
  },
});
