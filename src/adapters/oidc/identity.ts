import type { Logger } from 'pino';
import { Rejected } from '../../errors.ts';
import type { Identity } from '../../ports/identity.ts';
import { createThrottle } from '../../resilience/throttle.ts';
import { createClockWatch } from './clock-watch.ts';
import type { OidcClientOptions, RealmAddress } from './discovery.ts';
import { unauthenticated } from './identity-errors.ts';
import { readLogoutToken, repeatedLogoutToken } from './logout-token.ts';
import { INVALID_CREDENTIALS, INVALID_REFRESH_TOKEN, openOidcRealm } from './realm.ts';
import type { Revocations } from './revocations.ts';
import type { ClaimRules } from './token-claims.ts';
import { createTokenVerifier, issuerOf } from './token-verifier.ts';

export interface OidcRealmSetup extends RealmAddress, Pick<ClaimRules, 'tenant' | 'longest_seconds'> {}

export interface OidcIdentityOptions extends OidcClientOptions {
  /** The first realm is the default of a login. */
  realms: readonly [OidcRealmSetup, ...OidcRealmSetup[]];
  /** The allowed redirect URIs; absent where the provider's own list decides. */
  redirect_uris?: readonly string[];
  revocations: Revocations;
  log: Logger;
  /** Minimum time between two fetches of the provider's keys, in milliseconds. */
  jwks_cooldown_ms?: number;
  /** The current time in milliseconds since 1970. */
  now?: () => number;
}

const LOG_EVERY_MS = 60_000;

const unknownRealm = () =>
  new Rejected('invalid', 'unknown-realm', 'This installation does not serve this realm.', {
    errors: [{ pointer: '/realm', detail: 'must be one of the realms that this installation serves' }],
  });

const refuseOtherRedirect = (redirectUri: string, allowed: readonly string[] | undefined): void => {
  if (allowed === undefined || allowed.includes(redirectUri)) return;
  throw new Rejected('invalid', 'unknown-redirect-uri', 'This redirect URI is not allowed.', {
    errors: [{ pointer: '/redirect_uri', detail: `must be one of ${allowed.join(', ')}` }],
  });
};

/**
 * The identity provider over OpenID Connect: the local one or Keycloak, with the same code. Access tokens are verified
 * here, with the public keys of the realm that the token names. Throws `SystemUnusable` where a realm cannot be used as
 * configured. While the provider is down, calls that need it throw `Rejected` `unavailable` with code
 * `identity-unavailable`.
 */
export const createOidcIdentity = async (options: OidcIdentityOptions): Promise<Identity> => {
  const { revocations, redirect_uris, client_id, log, now = Date.now } = options;
  const clock = createClockWatch({ log, now });
  const throttled = createThrottle({ every_ms: LOG_EVERY_MS });
  const open = async ({ tenant, longest_seconds, ...address }: OidcRealmSetup) => ({
    ...(await openOidcRealm(address, { ...options, clock })),
    rules: { client_id, tenant, longest_seconds },
  });
  const [firstSetup, ...otherSetups] = options.realms;
  const first = await open(firstSetup);
  const realms = [first, ...(await Promise.all(otherSetups.map(open)))];
  const verifier = createTokenVerifier({ issuers: realms, revocations, clock, now });

  const realmNamed = (name: string | undefined) => {
    const found = name === undefined ? first : realms.find((realm) => realm.name === name);
    if (found === undefined) throw unknownRealm();
    return found;
  };

  /** Keycloak's refresh tokens name their issuer. The local provider's name none, but it has only one realm. */
  const realmOfRefreshToken = (refreshToken: string) => issuerOf(refreshToken, realms);

  /** An invalid or expired token need not be revoked. */
  const revokeAccessToken = async (accessToken: string): Promise<void> => {
    try {
      const { identity } = await verifier.verify(accessToken);
      await revocations.revoke(identity, clock.providerNow());
    } catch (error) {
      const over = error instanceof Rejected && (error.code === 'expired-token' || error.code === 'revoked-token');
      if (!over) throw error;
    }
  };

  return {
    async login({ email, password, realm }) {
      const asked = realmNamed(realm);
      if (email === '' || password === '') throw unauthenticated(INVALID_CREDENTIALS);
      return asked.login({ email, password });
    },
    async refresh(refreshToken) {
      const realm = realmOfRefreshToken(refreshToken);
      if (refreshToken === '' || realm === null) throw unauthenticated(INVALID_REFRESH_TOKEN);
      return realm.refresh(refreshToken);
    },
    async logout({ access_token, refresh_token }) {
      await revokeAccessToken(access_token);
      // A refresh token of no known realm is not valid, so it need not be revoked.
      if (refresh_token !== undefined) await realmOfRefreshToken(refresh_token)?.revokeRefreshToken(refresh_token);
    },
    async endSession(logoutToken) {
      const ended = await readLogoutToken(logoutToken, realms, now()).catch((error: unknown) => {
        // If the provider did send it, sessions that have ended there stay valid here.
        throttled(() => log.warn({ err: error }, 'a logout token was refused: sessions may go on that have ended'));
        throw error;
      });
      if (!(await revocations.end(ended))) throw repeatedLogoutToken();
      log.info({ issuer: ended.issuer, session_id: ended.session_id, subject: ended.subject }, 'a session was ended');
    },
    async verify(accessToken) {
      return (await verifier.verify(accessToken)).claims;
    },
    async authorizationUrl({ redirect_uri, realm }) {
      refuseOtherRedirect(redirect_uri, redirect_uris);
      return realmNamed(realm).authorizationUrl(redirect_uri);
    },
    async exchangeCode(pending) {
      return realmNamed(pending.realm).exchangeCode(pending);
    },
    // There is nothing to close: requests end by themselves, and `revocations` belongs to the caller.
    async close() {},
  };
};
