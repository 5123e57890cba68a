import type { AnyCommand } from '../command.ts';
import { deleteModel } from './delete-model.ts';
import { failModelOnboarding } from './internal/fail-model-onboarding.ts';
import { recordModelMetadata } from './internal/record-model-metadata.ts';
import { registerCloudModel } from './register-cloud-model.ts';
import { retryOnboarding } from './retry-onboarding.ts';
import { updateModel } from './update-model.ts';
import { uploadLocalModel } from './upload-local-model.ts';

/** The commands of the area model. */
export const modelCommands: readonly AnyCommand[] = [
  deleteModel,
  registerCloudModel,
  retryOnboarding,
  updateModel,
  uploadLocalModel,
  // Sent by BudApp only.
  failModelOnboarding,
  recordModelMetadata,
];
