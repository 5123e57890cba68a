import { z } from 'zod';
import { UserId } from '../../../events/ids.ts';
import { Role } from '../../../events/values.ts';
import { changesProviderRole } from '../provider-role.ts';
import { userCommand } from '../user-state.ts';

export const followProviderRole = userCommand({
  type: 'FollowProviderRole',
  summary: 'Follow the role that the identity provider assigns to a user',
  permission: 'system',
  data: z.strictObject({ user_id: UserId, role: Role, issued_at: z.iso.datetime() }),
  target: ({ user_id }) => user_id,
  decide: (data, { provider_role }) =>
    changesProviderRole(provider_role, data) ? { type: 'UserProviderRoleChanged', data } : [],
});
