import { z } from 'zod';
import { event } from './event.ts';
import { ProjectId, UserId } from './ids.ts';
import { Sealed } from './sealed.ts';
import { Role, Scope } from './values.ts';

export const UserRegistered = event(
  'UserRegistered',
  z.object({
    user_id: UserId,
    /** The claim `sub` of the identity provider. */
    subject: z.string(),
    email: Sealed,
    name: Sealed,
    role: Role,
    default_project_id: ProjectId,
  }),
);
export const UserPermissionsChanged = event(
  'UserPermissionsChanged',
  z.object({
    user_id: UserId,
    role: Role,
    /** Scopes granted in addition to the role, for the whole tenant. */
    scopes: z.array(Scope),
  }),
);
/** The identity provider has assigned another role. It applies until the next change, here or there. */
export const UserProviderRoleChanged = event(
  'UserProviderRoleChanged',
  z.object({
    user_id: UserId,
    role: Role,
    /** When the token with the new role was issued, by the provider's clock. */
    issued_at: z.iso.datetime(),
  }),
);
export const UserDisabled = event('UserDisabled', z.object({ user_id: UserId }));
export const UserReactivated = event('UserReactivated', z.object({ user_id: UserId }));

export const userEvents = [
  UserRegistered,
  UserPermissionsChanged,
  UserProviderRoleChanged,
  UserDisabled,
  UserReactivated,
] as const;
