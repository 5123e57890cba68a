import { LRUCache } from 'lru-cache';
import { systemCaller } from '../../commands/access.ts';
import { followProviderRole } from '../../commands/user/internal/follow-provider-role.ts';
import type { Position } from '../../events/event.ts';
import { CommandId, commandIdOf, newId, type UserId } from '../../events/ids.ts';
import type { Role } from '../../events/values.ts';
import type { Claims } from '../../ports/identity.ts';
import type { ApiServices } from '../services.ts';

/** How many people's newest tokens are remembered. Whoever is forgotten is looked up once more. */
const REMEMBERED = 10_000;

const PROVIDER = { type: 'process', id: 'identity-provider', name: 'identity provider' } as const;

/**
 * Lets a role that is given or taken away at the identity provider count here as soon as a token says so. What was changed
 * here since then stays: only a change at the provider is followed, and a token of before it changes nothing (ADR 11).
 */
export const createProviderRoles = ({ handle }: Pick<ApiServices, 'handle'>) => {
  /** When the newest token was made that has been followed, in seconds since 1970. */
  const followed = new LRUCache<UserId, number>({ max: REMEMBERED });

  /** The position of the change, or null where there is none. `stored` is the role that counts until now. */
  return async (claims: Claims, userId: UserId, stored: Role): Promise<Position | null> => {
    const { role, issued_at, token_id } = claims;
    if (role === null || role === stored || issued_at <= (followed.get(userId) ?? 0)) return null;
    const data = { user_id: userId, role, issued_at: new Date(issued_at * 1000).toISOString() };
    const { events, position } = await handle(followProviderRole, data, {
      caller: systemCaller(claims.tenant_id, PROVIDER),
      command_id: commandIdOf(`follow-provider-role:${userId}:${token_id}`),
      correlation_id: newId(CommandId),
      may_repeat: true,
    });
    followed.set(userId, issued_at);
    return events.length > 0 ? position : null;
  };
};
