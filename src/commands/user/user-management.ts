import { Rejected } from '../../errors.ts';
import type { Role, Scope } from '../../events/values.ts';
import { allows, type Caller } from '../access.ts';
import type { UserState } from './user-state.ts';

const isAdmin = ({ access }: Caller): boolean => access === 'system' || access.role === 'admin';

/** The scope `user:manage` alone must not be a way to become more than one is. */
const forbidden = (message: string) => new Rejected('forbidden', 'not-permitted', message);

/** Throws `Rejected` `forbidden` where somebody who is no admin acts upon an admin. */
export const refuseOverAdmin = (caller: Caller, state: UserState): void => {
  if (state.role === 'admin' && !isAdmin(caller)) throw forbidden('Only an admin may do this to an admin.');
};

/** Throws `Rejected` `forbidden` where somebody would give a role or scopes beyond their own. */
export const refuseBeyondOwn = (caller: Caller, { role, scopes }: { role: Role; scopes: readonly Scope[] }): void => {
  if (isAdmin(caller)) return;
  if (role === 'admin') throw forbidden('Only an admin may make another admin.');
  const beyond = scopes.filter((scope) => !allows(caller.access, scope, null));
  if (beyond.length > 0) throw forbidden(`You may not give what you do not have: ${beyond.join(', ')}.`);
};
