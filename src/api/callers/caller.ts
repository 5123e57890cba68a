import { LRUCache } from 'lru-cache';
import type { Access, Caller } from '../../commands/access.ts';
import { OWNER_SCOPES } from '../../commands/access.ts';
import { Rejected } from '../../errors.ts';
import type { Position } from '../../events/event.ts';
import { type ProjectId, type UserId, userIdOf } from '../../events/ids.ts';
import type { Scope } from '../../events/values.ts';
import type { Claims } from '../../ports/identity.ts';
import type { ApiServices } from '../services.ts';
import { createProviderRoles } from './provider-role.ts';
import { provisionUser } from './provision-user.ts';

/** A person whose token was checked. */
export interface ApiCaller extends Caller {
  access: Access;
  user_id: UserId;
  default_project_id: ProjectId;
  email: string;
  name: string;
  /** Seconds since 1970: when the token that was shown expires. */
  expires_at: number;
}

type StoredAccess = NonNullable<Awaited<ReturnType<ApiServices['readModels']['findAccess']>>>;

interface Known {
  access: Access;
  stored: StoredAccess;
  sealed_name: string;
  until: number;
}

const CACHE_MS = 1000;
const CACHED_USERS = 10_000;
/** How long a changed permission is waited for before the read model is believed as it is. */
const FRESHNESS_TIMEOUT_MS = 2000;

const accessOf = ({ role, scopes, projects }: StoredAccess): Access => ({
  role,
  scopes: new Set(scopes),
  projects: new Map(
    projects.map(({ project_id, scopes: given, is_owner }): [ProjectId, ReadonlySet<Scope>] => [
      project_id,
      new Set(is_owner ? [...OWNER_SCOPES, ...given] : given),
    ]),
  ),
});

/** The token in the value of an `Authorization` header. Throws `Rejected` `unauthenticated`, code `missing-token`. */
export const bearerTokenOf = (authorization: string): string => {
  const token = /^Bearer ([\w.~+/=-]+)$/i.exec(authorization)?.[1];
  if (token !== undefined) return token;
  throw new Rejected('unauthenticated', 'missing-token', 'This needs an access token.', {
    hint: 'Send "Authorization: Bearer <access_token>"; POST /auth/login gives one.',
  });
};

/**
 * Who asks. Tokens are checked at every call; what the person may do is remembered for a second, and looked up at once
 * where `accessChanged` says that this process changed it.
 */
export const createCallers = (services: ApiServices) => {
  const { identity, readModels, vault } = services;
  const known = new LRUCache<UserId, Known>({ max: CACHED_USERS });
  const looking = new Map<UserId, Promise<Known>>();
  /** Positions that the next lookup of a user's access must have seen. */
  const awaited = new Map<UserId, Position>();
  const followProvider = createProviderRoles(services);

  const freshen = async (userId: UserId): Promise<void> => {
    const position = awaited.get(userId);
    if (position === undefined) return;
    try {
      await readModels.waitFor(['users', 'projects'], position, { timeout_ms: FRESHNESS_TIMEOUT_MS });
      if (awaited.get(userId) === position) awaited.delete(userId);
    } catch (error) {
      // The read model is behind: better the access of a moment ago than none at all.
      if (!(error instanceof Rejected)) throw error;
    }
  };

  const lookUp = async (claims: Claims, userId: UserId): Promise<Known> => {
    await freshen(userId);
    const wanted = { tenant_id: claims.tenant_id, user_id: userId };
    const stored = await provisionUser(services, { claims, user_id: userId }, await readModels.findAccess(wanted));
    const seal = await vault.sealer(userId);
    return { stored, access: accessOf(stored), sealed_name: seal(claims.name), until: Date.now() + CACHE_MS };
  };

  /** Of many requests at once, one looks up and all see the answer. */
  const lookUpOnce = (claims: Claims, userId: UserId): Promise<Known> => {
    const running = looking.get(userId);
    if (running) return running;
    // What was asked before a change of access is neither kept nor shown to later requests.
    const isCurrent = () => looking.get(userId) === started;
    const started = lookUp(claims, userId)
      .then((entry) => {
        if (isCurrent()) known.set(userId, entry);
        return entry;
      })
      .finally(() => {
        if (isCurrent()) looking.delete(userId);
      });
    looking.set(userId, started);
    return started;
  };

  const accessChanged = (userId: UserId, position: Position | null): void => {
    known.delete(userId);
    looking.delete(userId);
    const before = awaited.get(userId);
    if (position !== null && (before === undefined || before < position)) awaited.set(userId, position);
  };

  const knownOf = async (claims: Claims, userId: UserId): Promise<Known> => {
    const cached = known.get(userId);
    const entry = cached && cached.until > Date.now() ? cached : await lookUpOnce(claims, userId);
    const changed = await followProvider(claims, userId, entry.stored.role);
    if (changed === null) return entry;
    accessChanged(userId, changed);
    return lookUpOnce(claims, userId);
  };

  const callerOf = async (claims: Claims): Promise<ApiCaller> => {
    const userId = userIdOf(claims.tenant_id, claims.subject);
    const entry = await knownOf(claims, userId);
    if (entry.stored.status === 'disabled') {
      throw new Rejected('forbidden', 'user-disabled', 'This user has been disabled.', {
        hint: 'An administrator can reactivate the user.',
      });
    }
    return {
      tenant_id: claims.tenant_id,
      actor: { type: 'user', id: userId, name: entry.sealed_name },
      access: entry.access,
      user_id: userId,
      default_project_id: entry.stored.default_project_id,
      email: claims.email,
      name: claims.name,
      expires_at: claims.expires_at,
    };
  };

  return {
    /** Throws `Rejected` `unauthenticated`, or `forbidden` with code `user-disabled`. */
    async fromToken(token: string): Promise<ApiCaller> {
      return callerOf(await identity.verify(token));
    },
    /** The same for the value of an `Authorization` header. */
    async fromAuthorization(header: string): Promise<ApiCaller> {
      return callerOf(await identity.verify(bearerTokenOf(header)));
    },
    /** From now on the user's access is looked up again, at least as new as `position`. */
    accessChanged,
  };
};

export type Callers = ReturnType<typeof createCallers>;
