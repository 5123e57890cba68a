import { z } from 'zod';
import { addProjectMember } from '../../commands/project/add-project-member.ts';
import { changeProjectMemberScopes } from '../../commands/project/change-project-member-scopes.ts';
import { createProject } from '../../commands/project/create-project.ts';
import { deleteProject } from '../../commands/project/delete-project.ts';
import { removeProjectMember } from '../../commands/project/remove-project-member.ts';
import { updateProject } from '../../commands/project/update-project.ts';
import { ProjectId, UserId } from '../../events/ids.ts';
import { Scope } from '../../events/values.ts';
import { ProjectRow } from '../../projections/projects.ts';
import { commandRoutes } from '../command-route.ts';
import { freshness, getVisible, itemRoute, listRoute, ROW_HEADERS } from '../read-route.ts';
import { etagOf, resources } from '../resource.ts';
import { answers, ok, type Route, route } from '../route.ts';
import type { WriteServices } from '../write.ts';

const tag = 'projects';

const Member = z.object({ user_id: UserId, scopes: z.array(Scope), is_owner: z.boolean() });

const membersRoute = (services: WriteServices): Route =>
  route({
    method: 'GET',
    path: '/projects/{project_id}/members',
    operation_id: 'listProjectMembers',
    summary: 'List the owner and the members of a project',
    tag,
    permission: 'project:view',
    params: z.strictObject({ project_id: ProjectId }),
    query: z.strictObject(freshness),
    answers: answers(z.object({ items: z.array(Member) }), 'The owner and the members', ROW_HEADERS),
    refusals: ['not-found', 'unavailable'],
    handle: async (exchange) => {
      const row = await getVisible(services, resources.project, { id: exchange.params.project_id, exchange });
      const { owner_id, members } = ProjectRow.pick({ owner_id: true, members: true }).parse(row);
      const others = Object.entries(members).map(([user_id, scopes]) => ({ user_id, scopes, is_owner: false }));
      const items = [{ user_id: owner_id, scopes: [], is_owner: true }, ...others];
      return ok({ items }, { ETag: etagOf(row), Position: row.position });
    },
  });

export const projectRoutes = (services: WriteServices): Route[] => {
  const command = commandRoutes(services);
  const project = '/projects/{project_id}';
  const update = { name: 'renamed', description: 'What it is for', tags: ['production'] };
  return [
    command('POST', '/projects', createProject, {
      tag,
      example: { name: 'chat', description: 'Chat models', tags: [] },
    }),
    listRoute(services, resources.project, {
      tag,
      filters: { name: z.string(), status: ProjectRow.shape.status, owner_id: UserId },
      sortable: ['created_at', 'updated_at', 'name'],
    }),
    itemRoute(services, resources.project, { tag, parameter: 'project_id' }),
    command('PUT', project, updateProject, { tag, example: update }),
    command('PATCH', project, updateProject, { tag, operation_id: 'PatchProject', example: { name: 'renamed' } }),
    command('DELETE', project, deleteProject, { tag }),
    membersRoute(services),
    command('POST', `${project}/members`, addProjectMember, { tag }),
    command('PATCH', `${project}/members/{user_id}`, changeProjectMemberScopes, { tag }),
    command('DELETE', `${project}/members/{user_id}`, removeProjectMember, { tag }),
  ];
};
