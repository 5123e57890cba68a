import { z } from 'zod';
import { event } from './event.ts';
import { ModelId, WorkflowId } from './ids.ts';
import { Artefact, Deadline, Description, ModelMetadata, Reason, Tags } from './values.ts';

/** Where a cloud model comes from. */
export const ModelSource = z.enum(['huggingface', 'openai', 'anthropic', 'azure', 'bedrock', 'vertex', 'url']);
export type ModelSource = z.output<typeof ModelSource>;

/** A path in the model service's own store. */
export const LocalPath = z.string().min(1);

const described = { model_id: ModelId, name: z.string(), description: Description, tags: Tags };
const onboarding = {
  workflow_id: WorkflowId,
  deadline: Deadline,
  /** The workflow that failed, and is tried again with this. */
  retries: WorkflowId.optional(),
};

export const CloudModelRegistered = event(
  'CloudModelRegistered',
  z.object({ ...described, ...onboarding, source: ModelSource, repo_id: z.string() }),
);
export const LocalModelUploaded = event(
  'LocalModelUploaded',
  z.object({ ...described, ...onboarding, artefact: Artefact }),
);
/** The metadata has been extracted: the model can be deployed. */
export const ModelMetadataRecorded = event(
  'ModelMetadataRecorded',
  z.object({
    model_id: ModelId,
    workflow_id: WorkflowId,
    metadata: ModelMetadata,
    /** The model service's copy of the file; absent where it has none, and in older facts. */
    local_path: LocalPath.optional(),
  }),
);
export const ModelOnboardingFailed = event(
  'ModelOnboardingFailed',
  z.object({
    model_id: ModelId,
    reason: Reason,
    /** True: a service did not answer, so the uploaded file is kept for another attempt. */
    artefact_kept: z.boolean().optional(),
  }),
);
export const ModelRenamed = event(
  'ModelRenamed',
  z.object({ model_id: ModelId, name: z.string(), previous_name: z.string() }),
);
export const ModelDescribed = event(
  'ModelDescribed',
  z.object({ model_id: ModelId, description: Description, tags: Tags }),
);
export const ModelDeleted = event(
  'ModelDeleted',
  z.object({
    model_id: ModelId,
    /** The workflow of the onboarding that was under way: it ends with this. */
    ends: WorkflowId.optional(),
    name: z.string(),
    artefact: Artefact.nullable(),
    /** The model service's copy of the file, which goes with the model. */
    local_path: LocalPath.optional(),
  }),
);

export const modelEvents = [
  CloudModelRegistered,
  LocalModelUploaded,
  ModelMetadataRecorded,
  ModelOnboardingFailed,
  ModelRenamed,
  ModelDescribed,
  ModelDeleted,
] as const;
