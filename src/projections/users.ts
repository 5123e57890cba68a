import { z } from 'zod';
import type { UserFact } from '../events/catalog.ts';
import { ProjectId } from '../events/ids.ts';
import { Sealed } from '../events/sealed.ts';
import { Role, Scope } from '../events/values.ts';
import { projection } from './projection.ts';

export const UserRow = z.object({
  /** The claim `sub` of the identity provider. */
  subject: z.string(),
  /** Sealed under the user's own key; opened only in answers. */
  email: Sealed,
  name: Sealed,
  role: Role,
  /** Scopes granted in addition to the role, for the whole tenant. */
  scopes: z.array(Scope),
  default_project_id: ProjectId,
  status: z.enum(['active', 'disabled']),
  /** When the user got the status. */
  since: z.string(),
});
export type UserRow = z.output<typeof UserRow>;

/** The current state of users: everyone who has logged in at least once. */
export const users = projection<UserRow, UserFact, 'UserRegistered'>({
  name: 'users',
  area: 'user',
  version: 1,
  row: UserRow,
  on: {
    UserRegistered: (_row, { data, at }) => ({
      subject: data.subject,
      email: data.email,
      name: data.name,
      role: data.role,
      scopes: [],
      default_project_id: data.default_project_id,
      status: 'active',
      since: at,
    }),
    UserPermissionsChanged: (row, { data }) => ({ ...row, role: data.role, scopes: data.scopes }),
    UserProviderRoleChanged: (row, { data }) => ({ ...row, role: data.role }),
    UserDisabled: (row, { at }) => ({ ...row, status: 'disabled', since: at }),
    UserReactivated: (row, { at }) => ({ ...row, status: 'active', since: at }),
  },
});
