import { z } from 'zod';
import { UserId } from '../../events/ids.ts';
import { refuseOverAdmin } from './user-management.ts';
import { userCommand } from './user-state.ts';

export const reactivateUser = userCommand({
  type: 'ReactivateUser',
  summary: 'Reactivate a user',
  permission: 'user:manage',
  data: z.strictObject({ user_id: UserId }),
  target: ({ user_id }) => user_id,
  decide: ({ user_id }, state, { caller }) => {
    refuseOverAdmin(caller, state);
    return state.status === 'active' ? [] : { type: 'UserReactivated', data: { user_id } };
  },
});
