import { z } from 'zod';
import { rejected } from '../../errors.ts';
import { UserId } from '../../events/ids.ts';
import { refuseOverAdmin } from './user-management.ts';
import { userCommand } from './user-state.ts';

export const disableUser = userCommand({
  type: 'DisableUser',
  summary: 'Disable a user',
  permission: 'user:manage',
  data: z.strictObject({ user_id: UserId }),
  target: ({ user_id }) => user_id,
  decide: ({ user_id }, state, { caller }) => {
    refuseOverAdmin(caller, state);
    if (caller.user_id === user_id) {
      throw rejected('own-account', 'You cannot disable yourself.', { hint: 'Another admin can do it.' });
    }
    return state.status === 'disabled' ? [] : { type: 'UserDisabled', data: { user_id } };
  },
});
