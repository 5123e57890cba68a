import { rejected } from '../../errors.ts';
import { assertActive, type ModelState } from '../model/model-state.ts';
import type { ProjectState } from '../project/project-state.ts';

/**
 * Project and model of a deployment may be deleted while it waits: their deletion saw no endpoint yet. Throws `Rejected`
 * `project-deleted` or `model-deleted`.
 */
export const assertStillExist = (needs: { project: ProjectState | null; model: ModelState | null }): void => {
  if (!needs.project) throw rejected('project-deleted', 'The project has been deleted in the meantime.');
  if (!needs.model) throw rejected('model-deleted', 'The model has been deleted in the meantime.');
  assertActive(needs.model);
};
