import { z } from 'zod';
import { ProjectId, TenantId, UserId } from '../../events/ids.ts';
import { atMost, visibleName } from '../../events/text.ts';
import { Role, Scope } from '../../events/values.ts';
import { bearerTokenOf } from '../callers/caller.ts';
import { HttpRefusal } from '../http/problem.ts';
import { type PublicExchange, publicRoute } from '../public-route.ts';
import { answers, ok, type Route, route } from '../route.ts';
import type { WriteServices } from '../write.ts';
import { backchannelLogoutRoute } from './backchannel-logout.ts';
import { RealmName, signInRoutes, TokenAnswer } from './sign-in.ts';

const tag = 'auth';

const Me = z.object({
  user_id: UserId,
  tenant_id: TenantId,
  email: z.string(),
  name: z.string(),
  role: Role,
  scopes: z.array(Scope),
  projects: z.array(z.object({ project_id: ProjectId, scopes: z.array(Scope) })),
  default_project_id: ProjectId,
  /** When the access token expires. */
  expires_at: z.iso.datetime(),
});

const Email = atMost(255, z.string().trim().min(3));
const Credentials = z.strictObject({ email: Email, password: atMost(200, z.string().min(1)) });
/** `realm` names a realm of the identity provider; each has its own users. Default: the first. */
const Login = Credentials.extend({ realm: RealmName.optional() });
const example = { email: 'admin@budapp.local', password: '…' };

/** Answers with tokens must not be cached. */
const NO_STORE = { 'Cache-Control': 'no-store' };

const login = async ({ identity, callers }: WriteServices, { body }: PublicExchange<z.output<typeof Login>>) => {
  const tokens = await identity.login(body);
  // Provisions the user at the first login, so that the next request does not have to wait for it.
  await callers.fromToken(tokens.access_token);
  return ok(tokens, NO_STORE);
};

const Registration = Credentials.extend({ name: visibleName(100) });

const register = async (services: WriteServices, { body }: PublicExchange<z.output<typeof Registration>>) => {
  const { registerUser, identity, callers } = services;
  if (!registerUser) {
    throw new HttpRefusal('not-offered', 'Accounts are created at the identity provider.', {
      hint: 'Register there, or ask its administrator, then log in here.',
    });
  }
  await registerUser(body);
  const tokens = await identity.login({ email: body.email, password: body.password });
  await callers.fromToken(tokens.access_token);
  return { success: 'created' as const, body: tokens, headers: { ...NO_STORE, Location: '/auth/me' } };
};

const meRoute = (): Route =>
  route({
    method: 'GET',
    path: '/auth/me',
    operation_id: 'getMe',
    summary: 'Get the current user and permissions',
    tag,
    permission: 'signed-in',
    answers: answers(Me, 'The current user'),
    handle: async ({ caller }) => {
      const { user_id, tenant_id, email, name, access, default_project_id, expires_at } = caller;
      return ok({
        user_id,
        tenant_id,
        email,
        name,
        role: access.role,
        scopes: [...access.scopes],
        projects: [...access.projects].map(([project_id, scopes]) => ({ project_id, scopes: [...scopes] })),
        default_project_id,
        expires_at: new Date(expires_at * 1000).toISOString(),
      });
    },
  });

const Logout = z.strictObject({ refresh_token: z.string().min(1).max(10_000).optional() }).optional();

const logoutRoute = ({ identity }: WriteServices): Route =>
  route({
    method: 'POST',
    path: '/auth/logout',
    operation_id: 'logout',
    summary: 'Log out and revoke both tokens',
    tag,
    permission: 'signed-in',
    body: Logout,
    answers: { 'no-content': { description: 'Logged out', schema: null } },
    handle: async ({ body, ctx }) => {
      await identity.logout({
        access_token: bearerTokenOf(ctx.get('authorization')),
        refresh_token: body?.refresh_token,
      });
      return { success: 'no-content' };
    },
  });

export const authRoutes = (services: WriteServices): Route[] => [
  publicRoute({
    method: 'POST',
    path: '/auth/login',
    operation_id: 'login',
    summary: 'Log in with e-mail and password',
    tag,
    body: Login,
    example,
    answers: answers(TokenAnswer, 'Access and refresh token'),
    refusals: ['unauthenticated', 'forbidden', 'invalid', 'too-many', 'unavailable'],
    handle: (exchange) => login(services, exchange),
  }),
  publicRoute({
    method: 'POST',
    path: '/auth/refresh',
    operation_id: 'refreshTokens',
    summary: 'Refresh tokens',
    tag,
    body: z.strictObject({ refresh_token: z.string().min(1).max(10_000) }),
    answers: answers(TokenAnswer, 'New tokens; the old refresh token is no longer valid'),
    refusals: ['unauthenticated', 'unavailable'],
    handle: async ({ body }) => ok(await services.identity.refresh(body.refresh_token), NO_STORE),
  }),
  logoutRoute(services),
  meRoute(),
  publicRoute({
    method: 'POST',
    path: '/auth/register',
    operation_id: 'register',
    summary: 'Register an account where the identity provider allows it',
    tag,
    body: Registration,
    example: { ...example, name: 'Ada' },
    answers: {
      created: { description: 'Registered and logged in', schema: TokenAnswer, headers: { Location: 'always' } },
    },
    refusals: ['conflict', 'invalid', 'unavailable'],
    handle: (exchange) => register(services, exchange),
  }),
  ...signInRoutes(services),
  backchannelLogoutRoute(services),
];
