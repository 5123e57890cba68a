import { z } from 'zod';
import type { ProjectFact } from '../events/catalog.ts';
import { UserId } from '../events/ids.ts';
import { Scope } from '../events/values.ts';
import { projection } from './projection.ts';

export const ProjectRow = z.object({
  name: z.string(),
  description: z.string(),
  tags: z.array(z.string()),
  owner_id: UserId,
  /** Scopes by the member's user id; without the owner. */
  members: z.record(UserId, z.array(Scope)),
  is_default: z.boolean(),
  status: z.enum(['active', 'deleted']),
});
export type ProjectRow = z.output<typeof ProjectRow>;

const withMember = (row: ProjectRow, userId: UserId, scopes: Scope[]): ProjectRow => ({
  ...row,
  members: { ...row.members, [userId]: scopes },
});

const withoutMember = (row: ProjectRow, userId: UserId): ProjectRow => {
  const { [userId]: _removed, ...members } = row.members;
  return { ...row, members };
};

/** The current state of projects, with their members. */
export const projects = projection<ProjectRow, ProjectFact, 'ProjectCreated'>({
  name: 'projects',
  area: 'project',
  version: 2,
  row: ProjectRow,
  name_kind: 'project',
  on: {
    ProjectCreated: (_row, { data }) => ({
      name: data.name,
      description: data.description,
      tags: data.tags,
      owner_id: data.owner_id,
      members: {},
      is_default: data.is_default,
      status: 'active',
    }),
    ProjectRenamed: (row, { data }) => ({ ...row, name: data.name }),
    ProjectDescribed: (row, { data }) => ({ ...row, description: data.description, tags: data.tags }),
    ProjectDeleted: (row) => ({ ...row, status: 'deleted' }),
    ProjectMemberAdded: (row, { data }) => withMember(row, data.user_id, data.scopes),
    ProjectMemberScopesChanged: (row, { data }) => withMember(row, data.user_id, data.scopes),
    ProjectMemberRemoved: (row, { data }) => withoutMember(row, data.user_id),
  },
});
