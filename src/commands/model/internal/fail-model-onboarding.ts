import { z } from 'zod';
import { ModelId } from '../../../events/ids.ts';
import { Reason } from '../../../events/values.ts';
import { modelCommand } from '../model-state.ts';

export const failModelOnboarding = modelCommand({
  type: 'FailModelOnboarding',
  summary: 'Give up the onboarding of a model; its name is free again',
  permission: 'system',
  data: z.strictObject({ model_id: ModelId, reason: Reason }),
  target: ({ model_id }) => model_id,
  decide: ({ model_id, reason }, { status }) =>
    status === 'onboarding' ? { type: 'ModelOnboardingFailed', data: { model_id, reason } } : [],
});
