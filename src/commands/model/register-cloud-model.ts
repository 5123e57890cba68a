import { z } from 'zod';
import { ModelId, WorkflowId } from '../../events/ids.ts';
import { ModelSource } from '../../events/model-events.ts';
import { Description, ResourceName, Tags } from '../../events/values.ts';
import { deadlineAfter } from '../deadlines.ts';
import { modelCreation } from './model-state.ts';

export const registerCloudModel = modelCreation({
  type: 'RegisterCloudModel',
  summary: 'Register a model of a cloud provider or model hub',
  permission: 'model:manage',
  data: z
    .strictObject({
      name: ResourceName,
      source: ModelSource.default('huggingface'),
      /** The provider's id of the model; `org/name` on Hugging Face. */
      repo_id: z.string().trim().min(1).max(500),
      description: Description.default(''),
      tags: Tags.default([]),
    })
    .refine(({ source, repo_id }) => source !== 'huggingface' || /^[\w.-]+\/[\w.-]+$/.test(repo_id), {
      path: ['repo_id'],
      message: 'on huggingface it has the form org/name',
    }),
  target: (_data, make) => make('model'),
  project: () => null,
  reserves: ({ name }) => ({ kind: 'model', name }),
  decide: (data, _state, { id, make, now, deadlines }) => ({
    type: 'CloudModelRegistered',
    data: {
      ...data,
      model_id: ModelId.parse(id),
      workflow_id: WorkflowId.parse(make('workflow')),
      deadline: deadlineAfter(now, deadlines.model_onboarding),
    },
  }),
});
