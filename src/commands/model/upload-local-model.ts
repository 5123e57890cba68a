import { z } from 'zod';
import { Rejected } from '../../errors.ts';
import { ModelId, WorkflowId } from '../../events/ids.ts';
import { Artefact, Description, ResourceName, Tags } from '../../events/values.ts';
import { deadlineAfter } from '../deadlines.ts';
import { modelCreation } from './model-state.ts';

export const uploadLocalModel = modelCreation({
  type: 'UploadLocalModel',
  summary: 'Register an uploaded model file',
  permission: 'model:manage',
  data: z.strictObject({
    name: ResourceName,
    description: Description.default(''),
    tags: Tags.default([]),
    // Longer keys are none of any object store, and longer names none of any file system.
    artefact: Artefact.extend({ object_key: z.string().max(1024), file_name: z.string().max(1024) }).strict(),
  }),
  target: (_data, make) => make('model'),
  project: () => null,
  reserves: ({ name }) => ({ kind: 'model', name }),
  decide: (data, _state, { id, command_id, tenant_id, make, now, deadlines }) => {
    const { object_key } = data.artefact;
    // The file is stored under the command's own id first, so no caller can claim the file of another one.
    const isOwn = object_key.startsWith(`models/${tenant_id}/${command_id}/`) && !object_key.split('/').includes('..');
    if (!isOwn) {
      throw new Rejected('invalid', 'artefact-not-stored', 'No file was stored for this command.', {
        hint: 'Send the file itself to POST /models/local.',
        errors: [{ pointer: '/artefact/object_key', detail: 'was not stored for this command' }],
      });
    }
    return {
      type: 'LocalModelUploaded',
      data: {
        ...data,
        model_id: ModelId.parse(id),
        workflow_id: WorkflowId.parse(make('workflow')),
        deadline: deadlineAfter(now, deadlines.model_onboarding),
      },
    };
  },
});
