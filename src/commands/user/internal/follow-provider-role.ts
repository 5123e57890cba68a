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
  decide: ({ user_id, role, issued_at }, { provider_role: said }) => {
    // Tokens of before a change are shown for minutes after it.
    const isOld = said.issued_at !== null && issued_at <= said.issued_at;
    if (isOld || role === said.role) return [];
    return { type: 'UserProviderRoleChanged', data: { user_id, role, issued_at } };
  },
});
