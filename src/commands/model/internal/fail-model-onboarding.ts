import { z } from 'zod';
import { ModelId } from '../../../events/ids.ts';
import { Reason } from '../../../events/values.ts';
import { modelCommand } from '../model-state.ts';

export const failModelOnboarding = modelCommand({
  type: 'FailModelOnboarding',
  summary: 'Fail the onboarding of a model and release its name',
  permission: 'system',
  data: z.strictObject({ model_id: ModelId, reason: Reason, artefact_kept: z.boolean().optional() }),
  target: ({ model_id }) => model_id,
  decide: (data, { status }) => (status === 'onboarding' ? { type: 'ModelOnboardingFailed', data } : []),
});
