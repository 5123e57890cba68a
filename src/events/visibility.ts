import type { Area } from './catalog.ts';
import { ProjectId } from './ids.ts';
import type { Scope } from './values.ts';

/** Whose the things of an area are, and the scope that views them. */
export type Visibility =
  /** Each is a project. */
  | { project: 'own-id'; view: Scope }
  /**
   * Each names its project in `project_id`: its state, its row, and the first event of its stream. Where `project_id`
   * may be null, `without_project` says which scopes together view what belongs to no project; null: nobody does.
   */
  | { project: 'project_id'; view: Scope; without_project: readonly Scope[] | null }
  /** All belong to the whole tenant. `self`: everybody may see the one that has their own id. */
  | { project: null; view: Scope; self: boolean };

/** The one statement of who sees what: items, lists, the audit, the live stream, and who may command what follow it. */
export const visibility: Readonly<Record<Area, Visibility>> = {
  project: { project: 'own-id', view: 'project:view' },
  model: { project: null, view: 'model:view', self: false },
  cluster: { project: null, view: 'cluster:view', self: false },
  endpoint: { project: 'project_id', view: 'endpoint:view', without_project: null },
  // Workflows outside projects are those of models and clusters.
  workflow: { project: 'project_id', view: 'endpoint:view', without_project: ['model:view', 'cluster:view'] },
  user: { project: null, view: 'user:view', self: true },
};

/** What must be known of a thing: its id, and its `project_id` where it has one. */
export interface Thing {
  id: string;
  project_id?: unknown;
}

const InProject = ProjectId.nullable();

/**
 * The project that the thing belongs to; null: to none. Throws where the area says that its things name their project
 * and this one does not: to take it for one of no project would open it.
 */
export const projectOf = (area: Area, { id, project_id }: Thing): ProjectId | null => {
  switch (visibility[area].project) {
    case 'own-id':
      return ProjectId.safeParse(id).data ?? null;
    case 'project_id':
      return InProject.parse(project_id);
    case null:
      return null;
  }
};
