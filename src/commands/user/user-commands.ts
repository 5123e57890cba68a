import type { AnyCommand } from '../command.ts';
import { changeUserPermissions } from './change-user-permissions.ts';
import { disableUser } from './disable-user.ts';
import { followProviderRole } from './internal/follow-provider-role.ts';
import { registerUser } from './internal/register-user.ts';
import { reactivateUser } from './reactivate-user.ts';

/** The commands of the area user. */
export const userCommands: readonly AnyCommand[] = [
  changeUserPermissions,
  disableUser,
  reactivateUser,
  // Sent by BudApp only.
  followProviderRole,
  registerUser,
];
