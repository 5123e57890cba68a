import type { AnyCommand } from '../command.ts';
import { deleteModel } from './delete-model.ts';
import { failModelOnboarding } from './internal/fail-model-onboarding.ts';
import { recordModelMetadata } from './internal/record-model-metadata.ts';
import { registerCloudModel } from './register-cloud-model.ts';
import { updateModel } from './update-model.ts';
import { uploadLocalModel } from './upload-local-model.ts';

/** What may be asked of a model. */
export const modelCommands: readonly AnyCommand[] = [
  deleteModel,
  registerCloudModel,
  updateModel,
  uploadLocalModel,
  // Only BudApp itself sends these.
  failModelOnboarding,
  recordModelMetadata,
];
