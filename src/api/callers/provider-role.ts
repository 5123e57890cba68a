import { LRUCache } from 'lru-cache';
import pTimeout from 'p-timeout';
import { systemCaller } from '../../commands/access.ts';
import { followProviderRole } from '../../commands/user/internal/follow-provider-role.ts';
import { changesProviderRole } from '../../commands/user/provider-role.ts';
import { Rejected } from '../../errors.ts';
import type { Position } from '../../events/event.ts';
import { CommandId, commandIdOf, newId, type UserId } from '../../events/ids.ts';
import type { Role } from '../../events/values.ts';
import type { Claims } from '../../ports/identity.ts';
import type { UserAccess } from '../../projections/queries/access-query.ts';
import type { ApiServices } from '../services.ts';

/**
 * Bound on the number of users whose newest token time is kept. For a user that was evicted, the role is compared once
 * more.
 */
const MAX_USERS = 10_000;
/** How long a request waits until the change is in the log. */
const TIMEOUT_MS = 2000;

const PROVIDER = { type: 'process', id: 'identity-provider', name: 'identity provider' } as const;

export interface ProviderRoleOptions extends Pick<ApiServices, 'handle'> {
  /** Called where a change has been recorded. */
  onChange(user_id: UserId, position: Position): void;
}

/**
 * `unchanged`: the stored role counts. `changed`: another one is stored now. A role: it counts, though it could not be
 * recorded yet, since the log is away.
 */
export type Followed = 'unchanged' | 'changed' | Role;

const isUnavailable = (error: unknown): boolean => error instanceof Rejected && error.kind === 'unavailable';

/**
 * Applies a role that was changed at the identity provider, as soon as a token carries it. A role that was changed here
 * since then stays: only a change at the provider is applied, and an older token changes nothing (ADR 11).
 *
 * The log is asked only where the read models show a change. While it does not answer, a changed role counts for the
 * requests with its token, and nobody waits for it to be recorded.
 */
export const createProviderRoles = ({ handle, onChange }: ProviderRoleOptions) => {
  /** Per user, when the newest token whose role was applied was issued, in seconds since 1970. */
  const appliedAt = new LRUCache<UserId, number>({ max: MAX_USERS });
  const running = new Map<string, Promise<Followed>>();
  let isAway = false;

  const record = async (claims: Claims, userId: UserId, role: Role): Promise<Followed> => {
    const { issued_at, token_id } = claims;
    const data = { user_id: userId, role, issued_at: new Date(issued_at * 1000).toISOString() };
    const { events, position } = await handle(followProviderRole, data, {
      caller: systemCaller(claims.tenant_id, PROVIDER),
      command_id: commandIdOf(`follow-provider-role:${userId}:${token_id}`),
      correlation_id: newId(CommandId),
      may_repeat: true,
    });
    isAway = false;
    appliedAt.set(userId, issued_at);
    if (events.length === 0 || position === null) return 'unchanged';
    onChange(userId, position);
    return 'changed';
  };

  const recordOnce = (claims: Claims, userId: UserId, role: Role): Promise<Followed> => {
    const key = `${userId}:${claims.token_id}`;
    const started =
      running.get(key) ??
      record(claims, userId, role)
        .catch((error: unknown) => {
          if (!isUnavailable(error)) throw error;
          isAway = true;
          return role;
        })
        .finally(() => running.delete(key));
    running.set(key, started);
    return started;
  };

  return async (claims: Claims, userId: UserId, stored: UserAccess): Promise<Followed> => {
    const { role, issued_at } = claims;
    if (role === null || role === stored.role || issued_at <= (appliedAt.get(userId) ?? 0)) return 'unchanged';
    const said = { role, issued_at: new Date(issued_at * 1000).toISOString() };
    if (stored.provider_role !== null && !changesProviderRole(stored.provider_role, said)) return 'unchanged';
    const done = recordOnce(claims, userId, role);
    if (isAway) {
      // The next request gets what has become of it.
      done.catch(() => undefined);
      return role;
    }
    const noAnswer = (): Role => {
      isAway = true;
      return role;
    };
    return pTimeout(done, { milliseconds: TIMEOUT_MS, fallback: noAnswer });
  };
};
