import { z } from 'zod';
import { rejected } from '../../errors.ts';
import { ProjectId, UserId } from '../../events/ids.ts';
import { projectCommand } from './project-state.ts';

export const deleteProject = projectCommand({
  type: 'DeleteProject',
  summary: 'Delete a project without live endpoints',
  permission: 'project:manage',
  data: z.strictObject({ project_id: ProjectId }),
  target: ({ project_id }) => project_id,
  refusedWhileInUse: 'project',
  decide: ({ project_id }, state) => {
    if (state.is_default) {
      throw rejected('default-project', 'This is the default project of its owner; it cannot be deleted.');
    }
    const member_ids = [state.owner_id, ...Object.keys(state.members).map((id) => UserId.parse(id))];
    return { type: 'ProjectDeleted', data: { project_id, name: state.name, member_ids } };
  },
});
