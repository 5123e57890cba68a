import { z } from 'zod';
import { event } from './event.ts';
import { ProjectId, UserId } from './ids.ts';
import { Description, Scope, Tags } from './values.ts';

export const ProjectCreated = event(
  'ProjectCreated',
  z.object({
    project_id: ProjectId,
    name: z.string(),
    description: Description,
    tags: Tags,
    owner_id: UserId,
    /** True for the project created at a user's first login, which a request without a project means. */
    is_default: z.boolean(),
  }),
);
export const ProjectRenamed = event(
  'ProjectRenamed',
  z.object({ project_id: ProjectId, name: z.string(), previous_name: z.string() }),
);
export const ProjectDescribed = event(
  'ProjectDescribed',
  z.object({ project_id: ProjectId, description: Description, tags: Tags }),
);
export const ProjectDeleted = event(
  'ProjectDeleted',
  z.object({
    project_id: ProjectId,
    name: z.string(),
    /** The owner and the members, who lose their access with it. Absent in facts of the first releases. */
    member_ids: z.array(UserId).optional(),
  }),
);
export const ProjectMemberAdded = event(
  'ProjectMemberAdded',
  z.object({ project_id: ProjectId, user_id: UserId, scopes: z.array(Scope) }),
);
export const ProjectMemberScopesChanged = event(
  'ProjectMemberScopesChanged',
  z.object({ project_id: ProjectId, user_id: UserId, scopes: z.array(Scope) }),
);
export const ProjectMemberRemoved = event('ProjectMemberRemoved', z.object({ project_id: ProjectId, user_id: UserId }));

export const projectEvents = [
  ProjectCreated,
  ProjectRenamed,
  ProjectDescribed,
  ProjectDeleted,
  ProjectMemberAdded,
  ProjectMemberScopesChanged,
  ProjectMemberRemoved,
] as const;
