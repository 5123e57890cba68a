import { z } from 'zod';
import { ProjectId, UserId } from '../../../events/ids.ts';
import { ResourceName } from '../../../events/values.ts';
import { projectCreation } from '../project-state.ts';

export const createDefaultProject = projectCreation({
  type: 'CreateDefaultProject',
  summary: 'Create the default project of a user',
  permission: 'system',
  data: z.strictObject({ project_id: ProjectId, name: ResourceName, owner_id: UserId }),
  target: ({ project_id }) => project_id,
  reserves: ({ name }) => ({ kind: 'project', name }),
  decide: (data) => ({ type: 'ProjectCreated', data: { ...data, description: '', tags: [], is_default: true } }),
});
