import { rejected } from '../../errors.ts';
import type { ModelFact, Recorded } from '../../events/catalog.ts';
import type { ModelOrigin } from '../../events/endpoint-values.ts';
import type { ModelId, WorkflowId } from '../../events/ids.ts';
import { replicaFootprint } from '../../events/resources.ts';
import type { Artefact, ModelMetadata, Resources } from '../../events/values.ts';
import { type Aggregate, commandsOn } from '../command.ts';

interface Identity {
  model_id: ModelId;
  name: string;
  description: string;
  tags: readonly string[];
  /** Where a cluster gets the model from. */
  origin: ModelOrigin;
  /** The uploaded file; null for a cloud model. */
  artefact: Artefact | null;
  /** The onboarding workflow. */
  workflow_id: WorkflowId;
}

/**
 *     (CloudModelRegistered | LocalModelUploaded) -> onboarding -ModelMetadataRecorded-> active -ModelDeleted-> deleted
 *                                                        '-ModelOnboardingFailed-> failed -ModelDeleted-----------^
 *                                            (onboarding again where it is tried again)
 */
export type ModelState = Identity &
  (
    | { status: 'onboarding' | 'deleted' }
    /** Without its file, the onboarding cannot be tried again; a cloud model needs none. */
    | { status: 'failed'; artefact_kept: boolean }
    | {
        status: 'active';
        metadata: ModelMetadata;
        /** The model service's copy of the file. */
        local_path?: string | undefined;
      }
  );

const evolve = (state: ModelState | null, event: Recorded<ModelFact>): ModelState | null => {
  if (event.type === 'CloudModelRegistered') {
    const { source, repo_id, deadline: _deadline, retries: _retries, ...described } = event.data;
    return { ...described, origin: { kind: 'cloud', source, repo_id }, artefact: null, status: 'onboarding' };
  }
  if (event.type === 'LocalModelUploaded') {
    const { artefact, deadline: _deadline, retries: _retries, ...described } = event.data;
    const { object_key, size_bytes } = artefact;
    return { ...described, origin: { kind: 'artefact', object_key, size_bytes }, artefact, status: 'onboarding' };
  }
  if (!state) return null;
  switch (event.type) {
    case 'ModelMetadataRecorded':
      return { ...state, status: 'active', metadata: event.data.metadata, local_path: event.data.local_path };
    case 'ModelOnboardingFailed':
      return { ...state, status: 'failed', artefact_kept: event.data.artefact_kept ?? false };
    case 'ModelRenamed':
      return { ...state, name: event.data.name };
    case 'ModelDescribed':
      return { ...state, description: event.data.description, tags: event.data.tags };
    case 'ModelDeleted':
      return { ...state, status: 'deleted' };
  }
};

export const model: Aggregate<ModelState, ModelFact> = {
  area: 'model',
  evolve,
  isGone: (state) => state.status === 'deleted',
  // A failed model does not block a second attempt under the same name.
  nameOf: (state) =>
    state.status === 'deleted' || state.status === 'failed' ? null : { kind: 'model', name: state.name },
};

export const { change: modelCommand, create: modelCreation } = commandsOn(model);

/** Throws `Rejected` `model-not-active`. */
export const assertActive = (state: ModelState): void => {
  if (state.status === 'active') return;
  throw rejected('model-not-active', `The model "${state.name}" cannot be deployed: it is ${state.status}.`, {
    hint: state.status === 'onboarding' ? 'Wait until the model is active.' : 'Choose another model.',
  });
};

const BYTES_PER_PARAMETER = 4;

/** Size of the model in bytes. */
const sizeOf = (state: ModelState): number => {
  if (state.artefact) return state.artefact.size_bytes;
  const parameters = state.status === 'active' ? state.metadata.num_params : null;
  return (parameters ?? 0) * BYTES_PER_PARAMETER;
};

/** The default resources of one replica: as stated at the onboarding, else by the size of the model. */
export const replicaResources = (state: ModelState): Resources => {
  const stated = state.status === 'active' ? state.metadata.replica_resources : undefined;
  return stated ?? replicaFootprint(sizeOf(state));
};
