import { z } from 'zod';
import type { ProjectFact } from '../../events/catalog.ts';
import { ProjectId } from '../../events/ids.ts';
import { ResourceName } from '../../events/values.ts';
import { changedDescription, descriptionChange } from '../description.ts';
import { projectCommand } from './project-state.ts';

export const updateProject = projectCommand({
  type: 'UpdateProject',
  summary: 'Update the name or description of a project',
  permission: 'project:manage',
  data: z.strictObject({ project_id: ProjectId, name: ResourceName.optional(), ...descriptionChange }),
  target: ({ project_id }) => project_id,
  reserves: ({ name }, state) => (name === undefined || name === state.name ? null : { kind: 'project', name }),
  decide: ({ project_id, name, ...change }, state) => {
    const facts: ProjectFact[] = [];
    if (name !== undefined && name !== state.name) {
      facts.push({ type: 'ProjectRenamed', data: { project_id, name, previous_name: state.name } });
    }
    const described = changedDescription(change, state);
    if (described) facts.push({ type: 'ProjectDescribed', data: { project_id, ...described } });
    return facts;
  },
});
