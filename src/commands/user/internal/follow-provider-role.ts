import { z } from 'zod';
import { UserId } from '../../../events/ids.ts';
import { Role } from '../../../events/values.ts';
import { userCommand } from '../user-state.ts';

export const followProviderRole = userCommand({
  type: 'FollowProviderRole',
  summary: 'Follow the role that the identity provider assigns to a user',
  permission: 'system',
  data: z.strictObject({ user_id: UserId, role: Role, issued_at: z.iso.datetime() }),
  target: ({ user_id }) => user_id,
  decide: ({ user_id, role, issued_at }, { provider_role: provider }) => {
    // Tokens from before a change are still in use for minutes after it.
    const isOld = provider.issued_at !== null && issued_at <= provider.issued_at;
    if (isOld || role === provider.role) return [];
    return { type: 'UserProviderRoleChanged', data: { user_id, role, issued_at } };
  },
});
