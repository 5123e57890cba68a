import type { AnyCommand } from '../command.ts';
import { changeUserPermissions } from './change-user-permissions.ts';
import { disableUser } from './disable-user.ts';
import { followProviderRole } from './internal/follow-provider-role.ts';
import { registerUser } from './internal/register-user.ts';
import { reactivateUser } from './reactivate-user.ts';

/** What may be asked of a user. */
export const userCommands: readonly AnyCommand[] = [
  changeUserPermissions,
  disableUser,
  reactivateUser,
  // Only BudApp itself sends these.
  followProviderRole,
  registerUser,
];
