import type { z } from 'zod';
import { type Access, OWNER_SCOPES } from '../../commands/access.ts';
import type { Area } from '../../events/catalog.ts';
import type { FactOf } from '../../events/event.ts';
import type { ProjectId, UserId } from '../../events/ids.ts';
import {
  ProjectCreated,
  ProjectDeleted,
  ProjectMemberAdded,
  ProjectMemberRemoved,
  ProjectMemberScopesChanged,
} from '../../events/project-events.ts';
import {
  UserDisabled,
  UserPermissionsChanged,
  UserProviderRoleChanged,
  UserReactivated,
} from '../../events/user-events.ts';
import type { Role, Scope } from '../../events/values.ts';
import { messageType } from '../../projections/status-message.ts';

const definitions = [
  ProjectCreated,
  ProjectDeleted,
  ProjectMemberAdded,
  ProjectMemberScopesChanged,
  ProjectMemberRemoved,
  UserPermissionsChanged,
  UserProviderRoleChanged,
  UserDisabled,
  UserReactivated,
] as const;

/** The facts that may change what somebody may see. */
export type AccessFact = FactOf<(typeof definitions)[number]>;

const areaOf = (type: string): Area => (type.startsWith('User') ? 'user' : 'project');
const byEventType = new Map<string, (typeof definitions)[number]>(definitions.map((each) => [each.type, each]));
const byMessageType = new Map(definitions.map((each) => [messageType(areaOf(each.type), each.type), each]));

export const accessFactTypes: readonly string[] = definitions.map(({ type }) => type);

/** `unreadable`: it is such a fact, but of a form that this version does not know. */
export type MaybeAccessFact = AccessFact | 'unreadable' | null;

const parse = (definition: { type: string; data: z.ZodType } | undefined, data: unknown): MaybeAccessFact => {
  if (definition === undefined) return null;
  const parsed = definition.data.safeParse(data);
  // The cast is safe: the data has been parsed with the schema of its type.
  return parsed.success ? ({ type: definition.type, data: parsed.data } as AccessFact) : 'unreadable';
};

/** The fact in an event of the log; null where it changes nobody's access. */
export const accessFactOfEvent = ({ type, data }: { type: string; data: unknown }): MaybeAccessFact =>
  parse(byEventType.get(type), data);

/** The fact in a status message; null where it changes nobody's access. */
export const accessFactOfMessage = ({ type, data }: { type: string; data: unknown }): MaybeAccessFact =>
  parse(byMessageType.get(type), data);

/** What a fact changes for one user. */
export type AccessChange =
  /** `scopes` is null where the user has no longer access. */
  | { kind: 'project'; project_id: ProjectId; scopes: readonly Scope[] | null }
  /** `scopes` is null where they stay as they are. */
  | { kind: 'role'; role: Role; scopes: readonly Scope[] | null }
  | { kind: 'status'; is_disabled: boolean }
  /** The fact does not tell enough: the access must be looked up. */
  | { kind: 'unknown' };

/** Null where the fact changes nothing for the user. */
export const accessChangeFor = (fact: MaybeAccessFact, userId: UserId): AccessChange | null => {
  if (fact === null) return null;
  if (fact === 'unreadable') return { kind: 'unknown' };
  const isOf = (id: UserId): boolean => id === userId;
  switch (fact.type) {
    case 'ProjectCreated': {
      const { project_id, owner_id } = fact.data;
      return isOf(owner_id) ? { kind: 'project', project_id, scopes: OWNER_SCOPES } : null;
    }
    case 'ProjectDeleted':
      return { kind: 'project', project_id: fact.data.project_id, scopes: null };
    case 'ProjectMemberAdded':
    case 'ProjectMemberScopesChanged': {
      const { project_id, user_id, scopes } = fact.data;
      return isOf(user_id) ? { kind: 'project', project_id, scopes } : null;
    }
    case 'ProjectMemberRemoved': {
      const { project_id, user_id } = fact.data;
      return isOf(user_id) ? { kind: 'project', project_id, scopes: null } : null;
    }
    case 'UserPermissionsChanged': {
      const { user_id, role, scopes } = fact.data;
      return isOf(user_id) ? { kind: 'role', role, scopes } : null;
    }
    case 'UserProviderRoleChanged':
      return isOf(fact.data.user_id) ? { kind: 'role', role: fact.data.role, scopes: null } : null;
    case 'UserDisabled':
      return isOf(fact.data.user_id) ? { kind: 'status', is_disabled: true } : null;
    case 'UserReactivated':
      return isOf(fact.data.user_id) ? { kind: 'status', is_disabled: false } : null;
  }
};

/** The types of the facts that `tellsRemovalOf` is about. */
export const alwaysShownTypes: readonly string[] = [ProjectMemberRemoved.type, ProjectDeleted.type];

/** Whether the fact tells the user that they are no longer a member, which they learn though they may not see it. */
export const tellsRemovalOf = (fact: MaybeAccessFact, userId: UserId): boolean => {
  if (fact === null || fact === 'unreadable') return false;
  if (fact.type === 'ProjectMemberRemoved') return fact.data.user_id === userId;
  return fact.type === 'ProjectDeleted' && (fact.data.member_ids ?? []).includes(userId);
};

export interface FollowedAccess {
  access(): Access;
  isDisabled(): boolean;
  /** False where the access must be looked up instead. */
  apply(change: AccessChange): boolean;
}

/**
 * Access that follows the facts of the log, so that nobody is asked about it for each of them. Each change costs the same,
 * however many projects there are.
 */
export const followAccess = ({ role, scopes, projects }: Access): FollowedAccess => {
  const followed = new Map(projects);
  let access: Access = { role, scopes, projects: followed };
  let disabled = false;
  return {
    access: () => access,
    isDisabled: () => disabled,
    apply: (change) => {
      switch (change.kind) {
        case 'unknown':
          return false;
        case 'status':
          disabled = change.is_disabled;
          return true;
        case 'project':
          if (change.scopes === null) followed.delete(change.project_id);
          // Those of an administrator are not kept, since there may be thousands.
          else if (access.role !== 'admin') followed.set(change.project_id, new Set(change.scopes));
          return true;
        case 'role':
          if (access.role === 'admin' && change.role !== 'admin') return false;
          access = { ...access, role: change.role, scopes: change.scopes ? new Set(change.scopes) : access.scopes };
          return true;
      }
    },
  };
};
