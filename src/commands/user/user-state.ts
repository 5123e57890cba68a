import type { Recorded, UserFact } from '../../events/catalog.ts';
import type { ProjectId, UserId } from '../../events/ids.ts';
import type { Role, Scope } from '../../events/values.ts';
import { type Aggregate, commandsOn } from '../command.ts';

/** A user. Name and e-mail address stay sealed in the events: no decision depends on them. */
export interface UserState {
  user_id: UserId;
  role: Role;
  /** Scopes granted in addition to the role, for the whole tenant. */
  scopes: readonly Scope[];
  /** The role last assigned by the identity provider; `issued_at` is null for the one of the first login. */
  provider_role: { role: Role; issued_at: string | null };
  default_project_id: ProjectId;
  status: 'active' | 'disabled';
}

const evolve = (state: UserState | null, event: Recorded<UserFact>): UserState | null => {
  if (event.type === 'UserRegistered') {
    const { user_id, role, default_project_id } = event.data;
    const provider_role = { role, issued_at: null };
    return { user_id, role, scopes: [], provider_role, default_project_id, status: 'active' };
  }
  if (!state) return null;
  switch (event.type) {
    case 'UserPermissionsChanged':
      return { ...state, role: event.data.role, scopes: event.data.scopes };
    case 'UserProviderRoleChanged': {
      const { role, issued_at } = event.data;
      return { ...state, role, provider_role: { role, issued_at } };
    }
    case 'UserDisabled':
      return { ...state, status: 'disabled' };
    case 'UserReactivated':
      return { ...state, status: 'active' };
  }
};

export const user: Aggregate<UserState, UserFact> = {
  area: 'user',
  evolve,
  isGone: () => false,
  nameOf: () => null,
};

export const { change: userCommand, create: userCreation } = commandsOn(user);
