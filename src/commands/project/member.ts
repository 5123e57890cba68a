import { z } from 'zod';
import { Rejected, rejected } from '../../errors.ts';
import type { UserId } from '../../events/ids.ts';
import { Scope } from '../../events/values.ts';
import type { ProjectState } from './project-state.ts';

/** The scopes of a member in the project; at least one. */
export const MemberScopes = z.array(Scope).min(1).max(20);

/** Sorts the scopes and removes duplicates. */
export const distinctScopes = (scopes: readonly Scope[]): Scope[] => [...new Set(scopes)].sort();

export const isSameScopes = (a: readonly Scope[], b: readonly Scope[]): boolean =>
  distinctScopes(a).join() === distinctScopes(b).join();

/** Refuses to make the owner a member: the owner has every permission in the project anyway. */
export const refuseOwner = (state: ProjectState, userId: UserId): void => {
  if (userId !== state.owner_id) return;
  throw rejected('owner-is-no-member', 'The owner of the project has all permissions in it and cannot be a member.');
};

/** Throws `Rejected` `member-not-found` where the user is no member. */
export const getMember = (state: ProjectState, userId: UserId): readonly Scope[] => {
  const scopes = state.members[userId];
  if (scopes) return scopes;
  throw new Rejected('not-found', 'member-not-found', `The user ${userId} is no member of the project.`);
};
