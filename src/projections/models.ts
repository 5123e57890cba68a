import { z } from 'zod';
import type { ModelFact } from '../events/catalog.ts';
import { WorkflowId } from '../events/ids.ts';
import { ModelSource } from '../events/model-events.ts';
import { Artefact, ModelMetadata, Reason } from '../events/values.ts';
import { projection } from './projection.ts';

export const ModelStatus = z.enum(['onboarding', 'active', 'failed', 'deleted']);

export const ModelRow = z.object({
  name: z.string(),
  description: z.string(),
  tags: z.array(z.string()),
  /** `local`: an uploaded file. */
  source: z.enum([...ModelSource.options, 'local']),
  /** The provider's id of the model; null for a local model. */
  repo_id: z.string().nullable(),
  /** The uploaded file; null for a cloud model, and once it is deleted. */
  artefact: Artefact.nullable(),
  /** The extracted metadata; null until then. */
  metadata: ModelMetadata.nullable(),
  /** The onboarding workflow. */
  workflow_id: WorkflowId,
  status: ModelStatus,
  reason: Reason.nullable(),
  /** When the model got its status. */
  since: z.string(),
  /** When a status that is not final must have ended; null for a final status. */
  deadline: z.string().nullable(),
});
export type ModelRow = z.output<typeof ModelRow>;

const onboarding = {
  metadata: null,
  status: 'onboarding',
  reason: { code: 'reading-model', message: 'The model service is reading the metadata of the model.' },
} as const;

/** The current state of models: `model` in design.md, "State machines". */
export const models = projection<ModelRow, ModelFact, 'CloudModelRegistered' | 'LocalModelUploaded'>({
  name: 'models',
  area: 'model',
  version: 2,
  row: ModelRow,
  name_kind: 'model',
  on: {
    CloudModelRegistered: (_row, { data, at }) => ({
      ...onboarding,
      name: data.name,
      description: data.description,
      tags: data.tags,
      source: data.source,
      repo_id: data.repo_id,
      artefact: null,
      workflow_id: data.workflow_id,
      since: at,
      deadline: data.deadline,
    }),
    LocalModelUploaded: (_row, { data, at }) => ({
      ...onboarding,
      name: data.name,
      description: data.description,
      tags: data.tags,
      source: 'local',
      repo_id: null,
      artefact: data.artefact,
      workflow_id: data.workflow_id,
      since: at,
      deadline: data.deadline,
    }),
    ModelMetadataRecorded: (row, { data, at }) => ({
      ...row,
      metadata: data.metadata,
      status: 'active',
      reason: null,
      since: at,
      deadline: null,
    }),
    ModelOnboardingFailed: (row, { data, at }) => ({
      ...row,
      status: 'failed',
      reason: data.reason,
      since: at,
      deadline: null,
    }),
    ModelRenamed: (row, { data }) => ({ ...row, name: data.name }),
    ModelDescribed: (row, { data }) => ({ ...row, description: data.description, tags: data.tags }),
    ModelDeleted: (row, { at }) => ({
      ...row,
      artefact: null,
      status: 'deleted',
      reason: null,
      since: at,
      deadline: null,
    }),
  },
});
