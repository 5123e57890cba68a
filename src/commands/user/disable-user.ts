import { z } from 'zod';
import { rejected } from '../../errors.ts';
import { UserId } from '../../events/ids.ts';
import { need } from '../command.ts';
import { REMOVAL_OF_ADMIN, refuseFormerAdmin, refuseOverAdmin } from './user-management.ts';
import { user, userCommand } from './user-state.ts';

export const disableUser = userCommand({
  type: 'DisableUser',
  summary: 'Disable a user',
  permission: 'user:manage',
  data: z.strictObject({ user_id: UserId }),
  target: ({ user_id }) => user_id,
  needs: (_data, _state, caller) => ({ caller: need(user, caller.user_id) }),
  alone: (_data, { role }) => (role === 'admin' ? REMOVAL_OF_ADMIN : null),
  decide: ({ user_id }, state, { caller, needs }) => {
    refuseOverAdmin(caller, state);
    if (caller.user_id === user_id) {
      throw rejected('own-account', 'You cannot disable yourself.', { hint: 'Another admin can do it.' });
    }
    if (state.role === 'admin') refuseFormerAdmin(caller, needs.caller);
    return state.status === 'disabled' ? [] : { type: 'UserDisabled', data: { user_id } };
  },
});
