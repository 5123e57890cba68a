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

/** A person whose token has been verified. */
export interface ApiCaller extends Caller {
  access: Access;
  user_id: UserId;
  default_project_id: ProjectId;
  email: string;
  name: string;
  /** When the access token expires, in seconds since 1970. */
  expires_at: number;
}

type StoredAccess = NonNullable<Awaited<ReturnType<ApiServices['readModels']['findAccess']>>>;

interface CachedAccess {
  access: Access;
  stored: StoredAccess;
  sealed_name: string;
  until: number;
}

const CACHE_MS = 1000;
const CACHED_USERS = 10_000;
/**
 * How long a request waits for the read model to show a change of permissions. After that it uses what the read model
 * has.
 */
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

const userDisabled = (): Rejected =>
  new Rejected('forbidden', 'user-disabled', 'This user has been disabled.', {
    hint: 'An administrator can reactivate the user.',
  });

/** The token in the value of an `Authorization` header. Throws `Rejected` `unauthenticated`, code `missing-token`. */
export const bearerTokenOf = (authorization: string): string => {
  const token = /^Bearer ([\w.~+/=-]+)$/i.exec(authorization)?.[1];
  if (token !== undefined) return token;
  throw new Rejected('unauthenticated', 'missing-token', 'The request needs an access token.', {
    hint: 'Send "Authorization: Bearer <access_token>"; POST /auth/login returns one.',
  });
};

/**
 * Identifies the caller of a request. The token is verified on every request. The user's permissions are cached for a
 * second; `accessChanged` removes them from the cache.
 */
export const createCallers = (services: ApiServices) => {
  const { identity, readModels, vault } = services;
  const cache = new LRUCache<UserId, CachedAccess>({ max: CACHED_USERS });
  const lookups = new Map<UserId, Promise<CachedAccess>>();
  /** Per user, the position of the last change of access: the next lookup waits until the read model has reached it. */
  const awaitedPositions = new LRUCache<UserId, Position>({ max: CACHED_USERS });

  /** False where the read model is still behind after a bounded time. */
  const isReached = async (position: Position): Promise<boolean> => {
    try {
      await readModels.waitFor(['users', 'projects'], position, { timeout_ms: FRESHNESS_TIMEOUT_MS });
      return true;
    } catch (error) {
      if (error instanceof Rejected) return false;
      throw error;
    }
  };

  const awaitChangeOfAccess = async (userId: UserId): Promise<void> => {
    const position = awaitedPositions.get(userId);
    if (position === undefined) return;
    // Where the read model is behind, permissions that are a moment old are better than a refused request.
    if ((await isReached(position)) && awaitedPositions.get(userId) === position) awaitedPositions.delete(userId);
  };

  const lookUp = async (claims: Claims, userId: UserId): Promise<CachedAccess> => {
    await awaitChangeOfAccess(userId);
    const key = { tenant_id: claims.tenant_id, user_id: userId };
    const stored = await provisionUser(services, { claims, user_id: userId }, await readModels.findAccess(key));
    const seal = await vault.sealer(userId);
    return { stored, access: accessOf(stored), sealed_name: seal(claims.name), until: Date.now() + CACHE_MS };
  };

  /** Concurrent requests of one user share one lookup. */
  const lookUpOnce = (claims: Claims, userId: UserId): Promise<CachedAccess> => {
    const running = lookups.get(userId);
    if (running) return running;
    // A lookup that began before a change of access is neither cached nor used by later requests.
    const isCurrent = () => lookups.get(userId) === started;
    const started = lookUp(claims, userId)
      .then((entry) => {
        if (isCurrent()) cache.set(userId, entry);
        return entry;
      })
      .finally(() => {
        if (isCurrent()) lookups.delete(userId);
      });
    lookups.set(userId, started);
    return started;
  };

  const accessChanged = (userId: UserId, position: Position | null): void => {
    cache.delete(userId);
    lookups.delete(userId);
    const before = awaitedPositions.get(userId);
    if (position !== null && (before === undefined || before < position)) awaitedPositions.set(userId, position);
  };

  const followProvider = createProviderRoles({ ...services, onChange: accessChanged });

  const cachedAccessOf = async (claims: Claims, userId: UserId): Promise<CachedAccess> => {
    const cached = cache.get(userId);
    const entry = cached && cached.until > Date.now() ? cached : await lookUpOnce(claims, userId);
    const followed = await followProvider(claims, userId, entry.stored);
    if (followed === 'unchanged') return entry;
    if (followed === 'changed') return lookUpOnce(claims, userId);
    return { ...entry, access: { ...entry.access, role: followed } };
  };

  const callerOf = async (claims: Claims): Promise<ApiCaller> => {
    const userId = userIdOf(claims.tenant_id, claims.subject);
    const entry = await cachedAccessOf(claims, userId);
    if (entry.stored.status === 'disabled') throw userDisabled();
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
    /** As `fromToken`, for the value of an `Authorization` header. */
    async fromAuthorization(header: string): Promise<ApiCaller> {
      return callerOf(await identity.verify(bearerTokenOf(header)));
    },
    /**
     * The user's access and the position that it is of, which is at least `position` where the read model gets there in a
     * bounded time. Throws `Rejected` `forbidden`, code `user-disabled`.
     */
    async accessAt(
      { tenant_id, user_id }: Pick<ApiCaller, 'tenant_id' | 'user_id'>,
      position: Position | null,
    ): Promise<{ access: Access; as_of: Position | null }> {
      if (position !== null) await isReached(position);
      const stored = await readModels.findAccess({ tenant_id, user_id });
      if (stored === null || stored.status === 'disabled') throw userDisabled();
      return { access: accessOf(stored), as_of: stored.as_of };
    },
    /** Makes the next request look up the user's access again, at least as new as `position`. */
    accessChanged,
    /** As `accessChanged`, for a fact about a project. An admin, who needs no membership, is not looked up again. */
    membershipChanged(userId: UserId, position: Position): void {
      if (cache.get(userId)?.access.role !== 'admin') accessChanged(userId, position);
    },
  };
};

export type Callers = ReturnType<typeof createCallers>;
