import { LRUCache } from 'lru-cache';
import { systemCaller } from '../../commands/access.ts';
import { followProviderRole } from '../../commands/user/internal/follow-provider-role.ts';
import type { Position } from '../../events/event.ts';
import { CommandId, commandIdOf, newId, type UserId } from '../../events/ids.ts';
import type { Role } from '../../events/values.ts';
import type { Claims } from '../../ports/identity.ts';
import type { ApiServices } from '../services.ts';

/**
 * Bound on the number of users whose newest token time is kept. For a user that was evicted, the role is compared once
 * more.
 */
const MAX_USERS = 10_000;

const PROVIDER = { type: 'process', id: 'identity-provider', name: 'identity provider' } as const;

/**
 * Applies a role that was changed at the identity provider, as soon as a token carries it. A role that was changed here
 * since then stays: only a change at the provider is applied, and an older token changes nothing (ADR 11).
 */
export const createProviderRoles = ({ handle }: Pick<ApiServices, 'handle'>) => {
  /** Per user, when the newest token whose role was applied was issued, in seconds since 1970. */
  const appliedAt = new LRUCache<UserId, number>({ max: MAX_USERS });

  /** Returns the position of the change, or null where nothing changed. `stored` is the user's current role. */
  return async (claims: Claims, userId: UserId, stored: Role): Promise<Position | null> => {
    const { role, issued_at, token_id } = claims;
    if (role === null || role === stored || issued_at <= (appliedAt.get(userId) ?? 0)) return null;
    const data = { user_id: userId, role, issued_at: new Date(issued_at * 1000).toISOString() };
    const { events, position } = await handle(followProviderRole, data, {
      caller: systemCaller(claims.tenant_id, PROVIDER),
      command_id: commandIdOf(`follow-provider-role:${userId}:${token_id}`),
      correlation_id: newId(CommandId),
      may_repeat: true,
    });
    appliedAt.set(userId, issued_at);
    return events.length > 0 ? position : null;
  };
};
