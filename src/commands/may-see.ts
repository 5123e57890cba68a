import type { Area } from '../events/catalog.ts';
import type { ProjectId } from '../events/ids.ts';
import { projectOf, type Thing, visibility } from '../events/visibility.ts';
import { allows, type Caller, visibleProjects } from './access.ts';

type Viewer = Pick<Caller, 'access' | 'user_id'>;

/** May the caller see those of the area that belong to no project? */
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

/** May the caller see the thing? It is taken for one of the caller's own tenant. */
export const maySee = (caller: Viewer, area: Area, thing: Thing): boolean => {
  const seen = visibility[area];
  if (seen.project === null && seen.self && caller.user_id === thing.id) return true;
  const projectId = projectOf(area, thing);
  return projectId === null ? maySeeWithoutProject(caller, area) : allows(caller.access, seen.view, projectId);
};

/** The projects whose things of the area the caller may see, null among them for those of no project; `all`: every one. */
export const listedProjects = (caller: Viewer, area: Area): 'all' | readonly (ProjectId | null)[] => {
  const withoutProject = maySeeWithoutProject(caller, area);
  const { project, view } = visibility[area];
  if (project === null) return withoutProject ? 'all' : [];
  const projects = visibleProjects(caller.access, view);
  return projects === 'all' || !withoutProject ? projects : [...projects, null];
};
