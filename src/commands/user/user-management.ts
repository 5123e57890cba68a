import { Rejected } from '../../errors.ts';
import type { Role, Scope } from '../../events/values.ts';
import { allows, type Caller } from '../access.ts';
import type { UserState } from './user-state.ts';

const isAdmin = ({ access }: Caller): boolean => access === 'system' || access.role === 'admin';

/** The scope `user:manage` must not let a user gain more permissions than the user has. */
const forbidden = (message: string) => new Rejected('forbidden', 'not-permitted', message);

/** Throws `Rejected` `forbidden` where a caller who is not an admin changes an admin. */
export const refuseOverAdmin = (caller: Caller, state: UserState): void => {
  if (state.role === 'admin' && !isAdmin(caller)) throw forbidden('Only an admin may change an admin.');
};

/**
 * One removal at a time: what an admin may do was looked up when the request came, and another one may have removed that
 * admin since. Otherwise the admins of a tenant could remove each other until none is left.
 */
export const REMOVAL_OF_ADMIN = 'removal of an admin';

/** Throws `Rejected` `forbidden` where the caller is a user who is no active admin any more. */
export const refuseFormerAdmin = (caller: Caller, now: UserState | null): void => {
  if (caller.access === 'system') return;
  if (now?.role !== 'admin' || now.status !== 'active') throw forbidden('You are not an admin any more.');
};

/** Throws `Rejected` `forbidden` where the caller grants a role or scopes that the caller does not have. */
export const refuseBeyondOwn = (caller: Caller, { role, scopes }: { role: Role; scopes: readonly Scope[] }): void => {
  if (isAdmin(caller)) return;
  if (role === 'admin') throw forbidden('Only an admin may make another admin.');
  const beyond = scopes.filter((scope) => !allows(caller.access, scope, null));
  if (beyond.length > 0) throw forbidden(`You cannot grant scopes that you do not have: ${beyond.join(', ')}.`);
};
