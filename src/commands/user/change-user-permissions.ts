import { z } from 'zod';
import { rejected } from '../../errors.ts';
import { UserId } from '../../events/ids.ts';
import { Role, Scope } from '../../events/values.ts';
import { need } from '../command.ts';
import { REMOVAL_OF_ADMIN, refuseBeyondOwn, refuseFormerAdmin, refuseOverAdmin } from './user-management.ts';
import { user, userCommand } from './user-state.ts';

export const changeUserPermissions = userCommand({
  type: 'ChangeUserPermissions',
  summary: 'Change the role and scopes of a user',
  permission: 'user:manage',
  data: z.strictObject({ user_id: UserId, role: Role, scopes: z.array(Scope).max(20) }),
  target: ({ user_id }) => user_id,
  needs: (_data, _state, caller) => ({ caller: need(user, caller.user_id) }),
  alone: (data, { role }) => (role === 'admin' && data.role !== 'admin' ? REMOVAL_OF_ADMIN : null),
  decide: ({ user_id, role, scopes: wanted }, state, { caller, needs }) => {
    refuseOverAdmin(caller, state);
    refuseBeyondOwn(caller, { role, scopes: wanted });
    // Otherwise the last admin could leave the tenant without an admin.
    if (caller.user_id === user_id && state.role === 'admin' && role !== 'admin') {
      throw rejected('own-admin-role', 'You cannot remove your own admin role.', {
        hint: 'Another admin can do it.',
      });
    }
    if (state.role === 'admin' && role !== 'admin') refuseFormerAdmin(caller, needs.caller);
    const scopes = [...new Set(wanted)].sort();
    if (role === state.role && scopes.join() === [...state.scopes].sort().join()) return [];
    return { type: 'UserPermissionsChanged', data: { user_id, role, scopes } };
  },
});
