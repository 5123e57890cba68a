import { z } from 'zod';
import { event } from './event.ts';
import { ProjectId, UserId } from './ids.ts';
import { Sealed } from './sealed.ts';
import { Role, Scope } from './values.ts';

export const UserRegistered = event(
  'UserRegistered',
  z.object({
    user_id: UserId,
    /** `sub` at the identity provider. */
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
    /** Given beyond the role, everywhere in the tenant. */
    scopes: z.array(Scope),
  }),
);
/** The identity provider gives another role than before: it holds, until the next change here or there. */
export const UserProviderRoleChanged = event(
  'UserProviderRoleChanged',
  z.object({
    user_id: UserId,
    role: Role,
    /** When the token that says so was made, by the provider's clock. */
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
