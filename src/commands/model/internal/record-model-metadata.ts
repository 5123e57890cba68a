import { z } from 'zod';
import { rejected } from '../../../errors.ts';
import { ModelId } from '../../../events/ids.ts';
import { LocalPath } from '../../../events/model-events.ts';
import { ModelMetadata } from '../../../events/values.ts';
import { modelCommand } from '../model-state.ts';

export const recordModelMetadata = modelCommand({
  type: 'RecordModelMetadata',
  summary: 'Record the metadata of a model',
  permission: 'system',
  data: z.strictObject({ model_id: ModelId, metadata: ModelMetadata, local_path: LocalPath.optional() }),
  target: ({ model_id }) => model_id,
  decide: ({ model_id, metadata, local_path }, { status, workflow_id }) => {
    if (status === 'active') return [];
    if (status !== 'onboarding')
      throw rejected('model-not-onboarding', `The onboarding of the model is over: ${status}.`);
    return { type: 'ModelMetadataRecorded', data: { model_id, workflow_id, metadata, local_path } };
  },
});
