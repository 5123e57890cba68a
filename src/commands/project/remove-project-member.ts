import { z } from 'zod';
import { ProjectId, UserId } from '../../events/ids.ts';
import { getMember, refuseOwner } from './member.ts';
import { projectCommand } from './project-state.ts';

export const removeProjectMember = projectCommand({
  type: 'RemoveProjectMember',
  summary: 'Remove a project member',
  permission: 'project:manage',
  data: z.strictObject({ project_id: ProjectId, user_id: UserId }),
  target: ({ project_id }) => project_id,
  decide: ({ project_id, user_id }, state) => {
    refuseOwner(state, user_id);
    getMember(state, user_id);
    return { type: 'ProjectMemberRemoved', data: { project_id, user_id } };
  },
});
