import { z } from 'zod';
import { ModelId, WorkflowId } from '../../events/ids.ts';
import { ModelSource } from '../../events/model-events.ts';
import { deadlineAfter } from '../deadlines.ts';
import { assertRetryable, notRetryable } from '../retry.ts';
import { modelCommand } from './model-state.ts';

export const retryOnboarding = modelCommand({
  type: 'RetryOnboarding',
  summary: 'Onboard a model again whose onboarding failed',
  permission: 'model:manage',
  data: z.strictObject({
    model_id: ModelId,
    /** The workflow of the onboarding. */
    workflow_id: WorkflowId,
  }),
  target: ({ model_id }) => model_id,
  reserves: (_data, { name }) => ({ kind: 'model', name }),
  decide: ({ model_id, workflow_id }, state, { make, now, deadlines }) => {
    assertRetryable({ state, area: 'model', is_undone: state.status === 'failed' }, workflow_id);
    const { name, description, tags, origin, artefact } = state;
    const again = {
      ...{ model_id, name, description, tags: [...tags] },
      workflow_id: WorkflowId.parse(make('workflow')),
      deadline: deadlineAfter(now, deadlines.model_onboarding),
      retries: workflow_id,
    };
    if (origin.kind === 'cloud') {
      const { source, repo_id } = origin;
      return { type: 'CloudModelRegistered', data: { ...again, source: ModelSource.parse(source), repo_id } };
    }
    if (!artefact || state.status !== 'failed' || !state.artefact_kept) {
      throw notRetryable('The uploaded file was removed: the model service cannot read it.', 'Upload another file.');
    }
    return { type: 'LocalModelUploaded', data: { ...again, artefact } };
  },
});
