import type { Area } from './catalog.ts';
import { ProjectId } from './ids.ts';
import type { Scope } from './values.ts';

/** To which project the resources of an area belong, and the scope to view them. */
export type Visibility =
  /** Each resource is a project. */
  | { project: 'own-id'; view: Scope }
  /**
   * Each resource names its project in `project_id`: its state, its row, and the first event of its stream. Where
   * `project_id` may be null, `without_project` lists the scopes that are required together to view a resource without
   * a project; null where nobody may.
   */
  | { project: 'project_id'; view: Scope; without_project: readonly Scope[] | null }
  /** All resources belong to the whole tenant. With `self`, every user may view the one with the user's own id. */
  | { project: null; view: Scope; self: boolean };

/** Who sees what: items, lists, the audit, the live stream and the authorisation of commands all follow it. */
export const visibility: Readonly<Record<Area, Visibility>> = {
  project: { project: 'own-id', view: 'project:view' },
  model: { project: null, view: 'model:view', self: false },
  cluster: { project: null, view: 'cluster:view', self: false },
  endpoint: { project: 'project_id', view: 'endpoint:view', without_project: null },
  // Workflows without a project are those of models and clusters.
  workflow: { project: 'project_id', view: 'endpoint:view', without_project: ['model:view', 'cluster:view'] },
  user: { project: null, view: 'user:view', self: true },
};

/** The fields of a resource that decide who may view it: its id, and its `project_id` where it has one. */
export interface Viewable {
  id: string;
  project_id?: unknown;
}

const InProject = ProjectId.nullable();

/**
 * The project that the resource belongs to; null where it belongs to none. Throws where the area's resources name their
 * project and this one does not: otherwise it would be visible like one without a project.
 */
export const projectOf = (area: Area, { id, project_id }: Viewable): ProjectId | null => {
  switch (visibility[area].project) {
    case 'own-id':
      return ProjectId.safeParse(id).data ?? null;
    case 'project_id':
      return InProject.parse(project_id);
    case null:
      return null;
  }
};
