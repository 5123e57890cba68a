import { z } from 'zod';
import { ProjectId, UserId } from '../../events/ids.ts';
import { distinctScopes, getMember, isSameScopes, MemberScopes, refuseOwner } from './member.ts';
import { projectCommand } from './project-state.ts';

export const changeProjectMemberScopes = projectCommand({
  type: 'ChangeProjectMemberScopes',
  summary: 'Change the scopes of a project member',
  permission: 'project:manage',
  data: z.strictObject({ project_id: ProjectId, user_id: UserId, scopes: MemberScopes }),
  target: ({ project_id }) => project_id,
  decide: ({ project_id, user_id, scopes }, state) => {
    refuseOwner(state, user_id);
    if (isSameScopes(getMember(state, user_id), scopes)) return [];
    return { type: 'ProjectMemberScopesChanged', data: { project_id, user_id, scopes: distinctScopes(scopes) } };
  },
});
