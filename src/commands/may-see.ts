import type { Area } from '../events/catalog.ts';
import type { ProjectId } from '../events/ids.ts';
import { projectOf, type Viewable, visibility } from '../events/visibility.ts';
import { allows, type Caller, visibleProjects } from './access.ts';

type Viewer = Pick<Caller, 'access' | 'user_id'>;

/** Whether the caller may see resources of the area that belong to no project. */
const maySeeWithoutProject = ({ access }: Viewer, area: Area): boolean => {
  const seen = visibility[area];
  switch (seen.project) {
    case 'own-id':
      return false;
    case 'project_id':
      return seen.without_project?.every((scope) => allows(access, scope, null)) ?? false;
    case null:
      return allows(access, seen.view, null);
  }
};

/** As `maySee`, where it is known which project the resource belongs to; null where it belongs to none. */
export const maySeeOf = (
  caller: Viewer,
  { area, id, project_id }: { area: Area; id: string; project_id: ProjectId | null },
): boolean => {
  const seen = visibility[area];
  if (seen.project === null && seen.self && caller.user_id === id) return true;
  return project_id === null ? maySeeWithoutProject(caller, area) : allows(caller.access, seen.view, project_id);
};

/** Whether the caller may see the resource, which must be of the caller's tenant. */
export const maySee = (caller: Viewer, area: Area, resource: Viewable): boolean =>
  maySeeOf(caller, { area, id: resource.id, project_id: projectOf(area, resource) });

/**
 * The projects whose resources of the area the caller may see, with null for those without a project; `all` for every
 * project.
 */
export const listedProjects = (caller: Viewer, area: Area): 'all' | readonly (ProjectId | null)[] => {
  const withoutProject = maySeeWithoutProject(caller, area);
  const { project, view } = visibility[area];
  if (project === null) return withoutProject ? 'all' : [];
  const projects = visibleProjects(caller.access, view);
  return projects === 'all' || !withoutProject ? projects : [...projects, null];
};
