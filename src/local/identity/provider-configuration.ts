import type { DatabaseSync } from 'node:sqlite';
import type { Configuration, KoaContextWithOIDC } from 'oidc-provider';
import { createArtefactStore } from './artefact-store.ts';
import { DEFAULT_TENANT_ID } from './default-tenant.ts';
import { errorPage } from './login-page.ts';
import type { ProviderSecrets } from './provider-secrets.ts';
import type { UserStore } from './user-store.ts';

export const CLIENT_ID = 'budapp';
/** The resource indicator that stands for BudApp's API: tokens for it are JWTs. */
export const API_RESOURCE = 'urn:budapp:api';
export const SCOPES = 'openid email profile';

/** However often a session is refreshed, after this time the user signs in again. */
const LONGEST_SESSION_SECONDS = 30 * 24 * 3600;

/** How long things live, in seconds. */
export interface Lifetimes {
  access_token: number;
  refresh_token: number;
}

export interface ProviderParts {
  database: DatabaseSync;
  users: UserStore;
  secrets: ProviderSecrets;
  redirect_uris: readonly string[];
  lifetimes: Lifetimes;
  /** For so long a used refresh token may be used again. */
  reuse_seconds: number;
}

/** What an access token for BudApp's API looks like. */
export const apiResourceServer = (lifetimes: Lifetimes) => ({
  scope: '',
  audience: CLIENT_ID,
  accessTokenTTL: lifetimes.access_token,
  accessTokenFormat: 'jwt' as const,
  jwt: { sign: { alg: 'ES256' as const } },
});

const client = ({ secrets, redirect_uris }: ProviderParts) => ({
  client_id: CLIENT_ID,
  client_secret: secrets.client_secret,
  client_name: 'BudApp',
  redirect_uris: [...redirect_uris],
  response_types: ['code' as const],
  grant_types: ['authorization_code', 'refresh_token', 'password'],
  id_token_signed_response_alg: 'ES256' as const,
});

const claimsOfUser = (users: UserStore, id: string) => {
  const user = users.find(id);
  if (user === null) return undefined;
  return { email: user.email, name: user.name, roles: [user.role], tenant_id: DEFAULT_TENANT_ID };
};

/** Skips the consent page, since BudApp is the only client and belongs to the provider. */
const grantWithoutAsking = async (ctx: KoaContextWithOIDC) => {
  const { session, client: asking, provider } = ctx.oidc;
  if (session?.accountId === undefined || asking === undefined) return undefined;
  const known = session.grantIdFor(asking.clientId);
  const existing = known === undefined ? undefined : await provider.Grant.find(known);
  if (existing !== undefined) return existing;
  const grant = new provider.Grant({ clientId: asking.clientId, accountId: session.accountId });
  grant.addOIDCScope(SCOPES);
  await grant.save();
  return grant;
};

export const providerConfiguration = (parts: ProviderParts): Configuration => {
  const { database, users, secrets, lifetimes } = parts;
  return {
    adapter: createArtefactStore(database, { reuse_seconds: parts.reuse_seconds }),
    clients: [client(parts)],
    jwks: { keys: secrets.signing_keys },
    cookies: {
      keys: [secrets.cookie_key],
      long: { sameSite: 'lax', signed: true },
      short: { sameSite: 'lax', signed: true },
    },
    responseTypes: ['code'],
    scopes: ['openid', 'email', 'profile'],
    claims: { openid: ['sub'], email: ['email'], profile: ['name', 'roles', 'tenant_id'] },
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      userinfo: { enabled: false },
      revocation: { enabled: true, allowedPolicy: (_ctx, asking, token) => token.clientId === asking.clientId },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => API_RESOURCE,
        useGrantedResource: () => true,
        getResourceServerInfo: () => apiResourceServer(lifetimes),
      },
    },
    findAccount: (_ctx, id) => {
      const claims = claimsOfUser(users, id);
      return claims === undefined ? undefined : { accountId: id, claims: () => ({ sub: id, ...claims }) };
    },
    extraTokenClaims: (_ctx, token) =>
      token.kind === 'AccessToken' && 'accountId' in token
        ? { ...claimsOfUser(users, token.accountId), sid: token.grantId }
        : undefined,
    loadExistingGrant: grantWithoutAsking,
    // Keycloak, too, gives a refresh token without being asked for offline access.
    issueRefreshToken: (_ctx, asking) => asking.grantTypeAllowed('refresh_token'),
    expiresWithSession: () => false,
    rotateRefreshToken: true,
    clientBasedCORS: () => false,
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    renderError: (ctx, out) => {
      ctx.type = 'html';
      ctx.body = errorPage(out.error_description ?? out.error);
    },
    ttl: {
      AccessToken: () => lifetimes.access_token,
      AuthorizationCode: () => 60,
      IdToken: () => lifetimes.access_token,
      RefreshToken: () => lifetimes.refresh_token,
      Interaction: () => 3600,
      Session: () => lifetimes.refresh_token,
      Grant: () => Math.max(lifetimes.refresh_token, LONGEST_SESSION_SECONDS),
    },
  };
};
