import { z } from 'zod';
import { changeUserPermissions } from '../../commands/user/change-user-permissions.ts';
import { UserId } from '../../events/ids.ts';
import { Role, Scope } from '../../events/values.ts';
import { UserRow } from '../../projections/users.ts';
import { commandRoutes } from '../command-route.ts';
import { freshness, getVisible, itemRoute, listRoute, ROW_HEADERS } from '../read-route.ts';
import { etagOf, resources } from '../resource.ts';
import { answers, ok, type Route, route } from '../route.ts';
import type { WriteServices } from '../write.ts';

const tag = 'users';

const Permissions = z.object({ user_id: UserId, role: Role, scopes: z.array(Scope) });

const permissionsRoute = (services: WriteServices): Route =>
  route({
    method: 'GET',
    path: '/users/{user_id}/permissions',
    operation_id: 'getUserPermissions',
    summary: 'Get the role and the scopes of a user',
    tag,
    permission: 'user:view',
    params: z.strictObject({ user_id: UserId }),
    query: z.strictObject(freshness),
    answers: answers(Permissions, 'The role and the scopes', ROW_HEADERS),
    refusals: ['not-found', 'unavailable'],
    handle: async (exchange) => {
      const { user_id } = exchange.params;
      const row = await getVisible(services, resources.user, { id: user_id, exchange });
      const { role, scopes } = UserRow.pick({ role: true, scopes: true }).parse(row);
      return ok({ user_id, role, scopes }, { ETag: etagOf(row), Position: row.position });
    },
  });

export const userRoutes = (services: WriteServices): Route[] => {
  const command = commandRoutes(services);
  return [
    listRoute(services, resources.user, {
      tag,
      filters: { role: Role, status: UserRow.shape.status },
      sortable: ['created_at', 'updated_at'],
    }),
    itemRoute(services, resources.user, { tag, parameter: 'user_id' }),
    permissionsRoute(services),
    command('PUT', '/users/{user_id}/permissions', changeUserPermissions, {
      tag,
      example: { role: 'developer', scopes: ['cluster:manage'] },
    }),
  ];
};
