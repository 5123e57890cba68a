import { z } from 'zod';
import { notFound, rejected } from '../../errors.ts';
import { ProjectId, UserId } from '../../events/ids.ts';
import { need } from '../command.ts';
import { user } from '../user/user-state.ts';
import { distinctScopes, isSameScopes, MemberScopes, refuseOwner } from './member.ts';
import { projectCommand } from './project-state.ts';

export const addProjectMember = projectCommand({
  type: 'AddProjectMember',
  summary: 'Add a project member',
  permission: 'project:manage',
  data: z.strictObject({ project_id: ProjectId, user_id: UserId, scopes: MemberScopes }),
  target: ({ project_id }) => project_id,
  needs: ({ user_id }) => ({ user: need(user, user_id) }),
  decide: ({ project_id, user_id, scopes }, state, { needs }) => {
    refuseOwner(state, user_id);
    if (!needs.user) throw notFound('user', user_id);
    const present = state.members[user_id];
    if (!present) return { type: 'ProjectMemberAdded', data: { project_id, user_id, scopes: distinctScopes(scopes) } };
    if (isSameScopes(present, scopes)) return [];
    throw rejected('already-member', 'The user is a member already, with other scopes.', {
      hint: 'Change the scopes of the member instead.',
    });
  },
});
