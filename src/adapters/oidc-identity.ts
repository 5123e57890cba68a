import * as oidc from 'openid-client';
import { Rejected } from '../errors.ts';
import type { TenantId } from '../events/ids.ts';
import type { Identity, Tokens } from '../ports.ts';
import { identityUnavailable, refusalOfGrant, unauthenticated } from './identity-errors.ts';
import type { Revocations } from './revocations.ts';
import { createTokenVerifier, type TokenVerifier } from './token-verifier.ts';

export interface OidcIdentityOptions {
  issuer_url: string;
  client_id: string;
  client_secret: string;
  /** The only places a browser is sent back to; where it is absent the provider's own list decides. */
  redirect_uris?: readonly string[];
  revocations: Revocations;
  /** The tenant of tokens without a `tenant_id` claim; where it is absent such tokens are refused. */
  default_tenant_id?: TenantId;
  /** Least time between two fetches of the provider's keys, in milliseconds. */
  jwks_cooldown_ms?: number;
  /** Milliseconds since 1970. */
  now?: () => number;
}

const SCOPE = 'openid email profile';
const TIMEOUT_SECONDS = 5;
const METADATA = { [oidc.clockTolerance]: 5 };

const INVALID_CREDENTIALS = { code: 'invalid-credentials', message: 'The e-mail or the password is wrong.' };
const INVALID_REFRESH_TOKEN = {
  code: 'invalid-refresh-token',
  message: 'The refresh token is unknown, used, revoked or expired; log in again.',
};
const INVALID_CODE = {
  code: 'invalid-authorization-code',
  message: 'The sign-in was refused, or its code is unknown, used or expired; sign in again.',
};

const isLoopback = ({ hostname }: URL): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);

const discover = async ({ issuer_url, client_id, client_secret }: OidcIdentityOptions): Promise<oidc.Configuration> => {
  const issuer = new URL(issuer_url);
  if (issuer.protocol !== 'https:' && !isLoopback(issuer)) {
    throw new Error(`the identity provider ${issuer.origin} must be reached over https, or be on this machine`);
  }
  try {
    return await oidc.discovery(issuer, client_id, METADATA, oidc.ClientSecretBasic(client_secret), {
      timeout: TIMEOUT_SECONDS,
      execute: issuer.protocol === 'http:' ? [oidc.allowInsecureRequests] : [],
    });
  } catch (error) {
    throw identityUnavailable(error);
  }
};

const tokensOf = (response: oidc.TokenEndpointResponse): Tokens => {
  const { access_token, refresh_token, expires_in } = response;
  if (refresh_token === undefined || expires_in === undefined) {
    throw identityUnavailable(new Error('the token response has no refresh_token or no expires_in'));
  }
  return { access_token, refresh_token, token_type: 'Bearer', expires_in };
};

/** The provider sees what the browser was told, whatever address our own proxy received the call under. */
const callbackUrl = (callback: string, redirectUri: string): URL => {
  const url = new URL(redirectUri);
  url.search = new URL(callback, redirectUri).search;
  return url;
};

/** The answer in the callback's address was not an answer to our question, or said no. */
const isBadCallback = (error: unknown): boolean =>
  error instanceof oidc.AuthorizationResponseError ||
  (error instanceof oidc.ClientError && error.code === 'OAUTH_INVALID_RESPONSE');

/** A token that is no longer good needs no revoking; a forged one is refused. */
const revokeAccessToken = async (accessToken: string, verifier: TokenVerifier, revocations: Revocations) => {
  try {
    const { identity } = await verifier.verify(accessToken);
    await revocations.revoke(identity);
  } catch (error) {
    const over = error instanceof Rejected && (error.code === 'expired-token' || error.code === 'revoked-token');
    if (!over) throw error;
  }
};

/**
 * The identity provider over OpenID Connect: the local one or Keycloak, with the same code. Tokens are checked here,
 * with the provider's public keys. Throws `Rejected` `unavailable` with code `identity-unavailable` where the provider
 * cannot be discovered, and so does every call that needs it while it is down.
 */
export const createOidcIdentity = async (options: OidcIdentityOptions): Promise<Identity> => {
  const { revocations, redirect_uris, client_id, default_tenant_id, now, jwks_cooldown_ms } = options;
  const configuration = await discover(options);
  const { issuer, jwks_uri } = configuration.serverMetadata();
  if (jwks_uri === undefined) throw new Error(`the identity provider ${issuer} publishes no keys`);
  const verifier = createTokenVerifier({
    issuer,
    jwks_uri: new URL(jwks_uri),
    rules: { client_id, default_tenant_id },
    revocations,
    ...(now === undefined ? {} : { now }),
    ...(jwks_cooldown_ms === undefined ? {} : { jwks_cooldown_ms }),
  });

  const revokeRefreshToken = async (refreshToken: string): Promise<void> => {
    try {
      await oidc.tokenRevocation(configuration, refreshToken);
    } catch (error) {
      throw identityUnavailable(error);
    }
  };

  return {
    async login({ email, password }) {
      if (email === '' || password === '') throw unauthenticated(INVALID_CREDENTIALS);
      try {
        const parameters = { username: email, password, scope: SCOPE };
        return tokensOf(await oidc.genericGrantRequest(configuration, 'password', parameters));
      } catch (error) {
        throw refusalOfGrant(error, INVALID_CREDENTIALS);
      }
    },
    async refresh(refreshToken) {
      if (refreshToken === '') throw unauthenticated(INVALID_REFRESH_TOKEN);
      try {
        return tokensOf(await oidc.refreshTokenGrant(configuration, refreshToken));
      } catch (error) {
        throw refusalOfGrant(error, INVALID_REFRESH_TOKEN);
      }
    },
    async logout({ access_token, refresh_token }) {
      await revokeAccessToken(access_token, verifier, revocations);
      if (refresh_token !== undefined) await revokeRefreshToken(refresh_token);
    },
    async verify(accessToken) {
      return (await verifier.verify(accessToken)).claims;
    },
    async authorizationUrl({ redirect_uri }) {
      if (redirect_uris !== undefined && !redirect_uris.includes(redirect_uri)) {
        throw new Rejected('invalid', 'unknown-redirect-uri', 'A browser may not be sent back to this address.', {
          errors: [{ pointer: '/redirect_uri', detail: `must be one of ${redirect_uris.join(', ')}` }],
        });
      }
      const state = oidc.randomState();
      const code_verifier = oidc.randomPKCECodeVerifier();
      const url = oidc.buildAuthorizationUrl(configuration, {
        redirect_uri,
        scope: SCOPE,
        state,
        code_challenge: await oidc.calculatePKCECodeChallenge(code_verifier),
        code_challenge_method: 'S256',
      });
      return { url: url.href, state, code_verifier };
    },
    async exchangeCode({ callback_url, state, code_verifier, redirect_uri }) {
      try {
        const checks = { pkceCodeVerifier: code_verifier, expectedState: state, idTokenExpected: true };
        return tokensOf(
          await oidc.authorizationCodeGrant(configuration, callbackUrl(callback_url, redirect_uri), checks),
        );
      } catch (error) {
        if (isBadCallback(error)) {
          throw unauthenticated(INVALID_CODE, error);
        }
        throw refusalOfGrant(error, INVALID_CODE);
      }
    },
    // Nothing is held open: requests end by themselves, and `revocations` belongs to whoever made it.
    async close() {},
  };
};
