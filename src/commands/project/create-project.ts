import { z } from 'zod';
import { Rejected } from '../../errors.ts';
import { ProjectId } from '../../events/ids.ts';
import { Description, ResourceName, Tags } from '../../events/values.ts';
import { projectCreation } from './project-state.ts';

export const createProject = projectCreation({
  type: 'CreateProject',
  summary: 'Create a project',
  permission: 'project:manage',
  data: z.strictObject({
    name: ResourceName,
    description: Description.default(''),
    tags: Tags.default([]),
  }),
  target: (_data, make) => make('project'),
  project: () => null,
  reserves: ({ name }) => ({ kind: 'project', name }),
  decide: (data, _state, { id, caller }) => {
    if (!caller.user_id) throw new Rejected('forbidden', 'no-owner', 'A project needs a person as its owner.');
    return {
      type: 'ProjectCreated',
      data: { ...data, project_id: ProjectId.parse(id), owner_id: caller.user_id, is_default: false },
    };
  },
});
