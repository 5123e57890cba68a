import Provider, { errors, type TokenEndpointGrantContext } from 'oidc-provider';
import type { PasswordLogin } from './password-login.ts';
import { API_RESOURCE, apiResourceServer, type Lifetimes, SCOPES } from './provider-configuration.ts';
import type { LocalUser } from './user-store.ts';

type PasswordParameters = { username?: string; password?: string };
type GrantContext = TokenEndpointGrantContext<PasswordParameters>;

const throttled = (ctx: GrantContext, seconds: number): Error => {
  ctx.set('Retry-After', String(seconds));
  const error = new errors.CustomOIDCProviderError('slow_down', `too many failed attempts, wait ${seconds} s`);
  error.status = 429;
  error.statusCode = 429;
  return error;
};

const authenticated = async (ctx: GrantContext, login: PasswordLogin): Promise<LocalUser> => {
  const { username, password } = ctx.oidc.params;
  if (!username || !password) throw new errors.InvalidRequest('username and password are required');
  const outcome = await login(username, password);
  if (outcome.kind === 'throttled') throw throttled(ctx, outcome.wait_seconds);
  if (outcome.kind === 'refused') throw new errors.InvalidGrant('invalid credentials');
  return outcome.user;
};

const issueTokens = async (ctx: GrantContext, user: LocalUser, lifetimes: Lifetimes) => {
  const { provider, client } = ctx.oidc;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: user.id });
  grant.addOIDCScope(SCOPES);
  const source = { client, accountId: user.id, grantId: await grant.save(), gty: 'password', scope: SCOPES };
  const accessToken = new provider.AccessToken(source);
  accessToken.scope = undefined;
  accessToken.resourceServer = new provider.ResourceServer(API_RESOURCE, apiResourceServer(lifetimes));
  const refreshToken = new provider.RefreshToken({
    ...source,
    resource: API_RESOURCE,
    authTime: Math.floor(Date.now() / 1000),
    expiresWithSession: false,
  });
  return {
    access_token: await accessToken.save(),
    refresh_token: await refreshToken.save(),
    token_type: accessToken.tokenType,
    expires_in: accessToken.expiration,
  };
};

/** The resource owner password grant, for `POST /auth/login`; as Keycloak's direct access grant. */
export const registerPasswordGrant = (provider: Provider, login: PasswordLogin, lifetimes: Lifetimes): void => {
  provider.registerGrantType<PasswordParameters>(
    'password',
    async (ctx) => {
      const user = await authenticated(ctx, login);
      ctx.body = await issueTokens(ctx, user, lifetimes);
    },
    ['username', 'password', 'scope'],
  );
};
