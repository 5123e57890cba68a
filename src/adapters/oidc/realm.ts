import { decodeJwt, type JWTVerifyGetKey } from 'jose';
import * as oidc from 'openid-client';
import type { Logger } from 'pino';
import type { PendingSignIn, Tokens } from '../../ports/identity.ts';
import type { ClockWatch } from './clock-watch.ts';
import { discoverRealm, type OidcClientOptions, type RealmAddress } from './discovery.ts';
import { createRefusals, identityUnavailable, unauthenticated } from './identity-errors.ts';
import { createSigningKeys } from './signing-keys.ts';

/** A realm of the provider: the operations that need the provider itself. */
export interface OidcRealm {
  name: string;
  issuer: string;
  keys: JWTVerifyGetKey;
  login(credentials: { email: string; password: string }): Promise<Tokens>;
  refresh(refreshToken: string): Promise<Tokens>;
  revokeRefreshToken(refreshToken: string): Promise<void>;
  authorizationUrl(redirectUri: string): Promise<PendingSignIn & { url: string }>;
  exchangeCode(pending: PendingSignIn & { callback_url: string }): Promise<Tokens>;
}

export interface OidcRealmOptions extends OidcClientOptions {
  clock: ClockWatch;
  log: Logger;
  jwks_cooldown_ms?: number | undefined;
}

const SCOPE = 'openid email profile';

export const INVALID_CREDENTIALS = {
  code: 'invalid-credentials',
  message: 'The e-mail or the password is wrong.',
  hint: 'If they are right, sign in through GET /auth/authorize: the account may first have to be completed there.',
};
export const INVALID_REFRESH_TOKEN = {
  code: 'invalid-refresh-token',
  message: 'The refresh token is unknown, used, revoked or expired; log in again.',
};
const INVALID_CODE = {
  code: 'invalid-authorization-code',
  message: 'The sign-in was refused, or its code is unknown, used or expired; sign in again.',
};

const tokensOf = (response: oidc.TokenEndpointResponse): Tokens => {
  const { access_token, refresh_token, expires_in } = response;
  if (refresh_token === undefined || expires_in === undefined) {
    throw identityUnavailable(new Error('the token response has no refresh_token or no expires_in'));
  }
  return { access_token, refresh_token, token_type: 'Bearer', expires_in };
};

/** The claim `iat` of a token; null where it has none. */
const issuedAtOf = (accessToken: string): number | null => {
  try {
    return decodeJwt(accessToken).iat ?? null;
  } catch {
    return null;
  }
};

/**
 * Builds the callback URL from the redirect URI that the browser was given, since a proxy may change the address of the
 * request.
 */
const callbackUrl = (callback: string, redirectUri: string): URL => {
  const url = new URL(redirectUri);
  url.search = new URL(callback, redirectUri).search;
  return url;
};

/** The callback's parameters do not belong to this sign-in, or report an error. */
const isBadCallback = (error: unknown): boolean =>
  error instanceof oidc.AuthorizationResponseError ||
  (error instanceof oidc.ClientError && error.code === 'OAUTH_INVALID_RESPONSE');

/**
 * Opens a realm: reads its metadata and checks the client. Throws `SystemUnusable`, see `discoverRealm`. While the
 * provider is down, calls that need it throw `Rejected` `unavailable` with code `identity-unavailable`.
 */
export const openOidcRealm = async (address: RealmAddress, options: OidcRealmOptions): Promise<OidcRealm> => {
  const { clock, log, jwks_cooldown_ms } = options;
  const { configuration, issuer, jwks_uri, fetch } = await discoverRealm(address, options);
  const refusals = createRefusals({ log });
  const realm = address.name;

  const granted = (response: oidc.TokenEndpointResponse): Tokens => {
    const tokens = tokensOf(response);
    const issuedAt = issuedAtOf(tokens.access_token);
    if (issuedAt !== null) clock.tokenIssued(issuedAt);
    return tokens;
  };

  return {
    name: realm,
    issuer,
    keys: createSigningKeys({ jwks_uri, fetch, log, cooldown_ms: jwks_cooldown_ms }),
    async login({ email, password }) {
      try {
        const parameters = { username: email, password, scope: SCOPE };
        return granted(await oidc.genericGrantRequest(configuration, 'password', parameters));
      } catch (error) {
        throw refusals.ofGrant(error, INVALID_CREDENTIALS);
      }
    },
    async refresh(refreshToken) {
      try {
        return granted(await oidc.refreshTokenGrant(configuration, refreshToken));
      } catch (error) {
        throw refusals.ofGrant(error, INVALID_REFRESH_TOKEN);
      }
    },
    async revokeRefreshToken(refreshToken) {
      try {
        await oidc.tokenRevocation(configuration, refreshToken);
      } catch (error) {
        throw refusals.unavailable(error);
      }
    },
    async authorizationUrl(redirect_uri) {
      const state = oidc.randomState();
      const code_verifier = oidc.randomPKCECodeVerifier();
      const url = oidc.buildAuthorizationUrl(configuration, {
        redirect_uri,
        scope: SCOPE,
        state,
        code_challenge: await oidc.calculatePKCECodeChallenge(code_verifier),
        code_challenge_method: 'S256',
      });
      return { url: url.href, state, code_verifier, redirect_uri, realm };
    },
    async exchangeCode({ callback_url, state, code_verifier, redirect_uri }) {
      try {
        const checks = { pkceCodeVerifier: code_verifier, expectedState: state, idTokenExpected: true };
        const callback = callbackUrl(callback_url, redirect_uri);
        return granted(await oidc.authorizationCodeGrant(configuration, callback, checks));
      } catch (error) {
        if (isBadCallback(error)) throw unauthenticated(INVALID_CODE, error);
        throw refusals.ofGrant(error, INVALID_CODE);
      }
    },
  };
};
