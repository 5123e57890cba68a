import { z } from 'zod';
import { Rejected } from '../../errors.ts';
import { ProjectId, TenantId, UserId } from '../../events/ids.ts';
import { Role, Scope } from '../../events/values.ts';
import { visibleName } from '../../events/visible-name.ts';
import { createRepeatedAnswers, type RepeatedAnswers } from '../../postgres/repeated-answers.ts';
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

const Email = z.string().trim().min(3).max(255);
const Credentials = z.strictObject({ email: Email, password: z.string().min(1).max(200) });
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

type Registration = z.output<typeof Registration>;

const KEPT_SECONDS = 7 * 24 * 3600;

/** Without the password, so that what is kept says nothing about it: the login that follows checks it. */
const registrationOf = ({ email, name }: Registration, key: string) => ({
  kind: 'register',
  secret: JSON.stringify([key, email, name]),
  keep_seconds: KEPT_SECONDS,
  schema: z.null(),
});

const keyReused = () =>
  new Rejected('invalid', 'idempotency-key-reused', 'This Idempotency-Key was used with another password.');

/** A registration that a crash has cut off may have made the account. */
const unlessCreated = async (create: () => Promise<void>, repeated: boolean): Promise<null> => {
  await create().catch((error: unknown) => {
    if (!repeated || !(error instanceof Rejected) || error.kind !== 'conflict') throw error;
  });
  return null;
};

const register = async (
  services: WriteServices,
  registered: RepeatedAnswers,
  { body, facts }: PublicExchange<Registration>,
) => {
  const { registerUser, identity, callers } = services;
  if (!registerUser) {
    throw new HttpRefusal('not-offered', 'Accounts are created at the identity provider.', {
      hint: 'Register there, or ask its administrator, then log in here.',
    });
  }
  const create = () => registerUser(body);
  const { idempotency_key: key } = facts;
  if (key === undefined) await create();
  else await registered.once(registrationOf(body, key), (repeated) => unlessCreated(create, repeated));
  const tokens = await identity.login({ email: body.email, password: body.password }).catch((error: unknown) => {
    const isOther = key !== undefined && error instanceof Rejected && error.code === 'invalid-credentials';
    throw isOther ? keyReused() : error;
  });
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
  // Not `signed-in`: a logout can be repeated, although the first one has ended the session.
  publicRoute({
    method: 'POST',
    path: '/auth/logout',
    operation_id: 'logout',
    summary: 'Log out and revoke both tokens; can be repeated',
    tag,
    permission: 'bearer',
    body: Logout,
    answers: { 'no-content': { description: 'Logged out, now or before', schema: null } },
    refusals: ['unavailable'],
    handle: async ({ body, ctx }) => {
      await identity.logout({
        access_token: bearerTokenOf(ctx.get('authorization')),
        refresh_token: body?.refresh_token,
      });
      return { success: 'no-content' };
    },
  });

export const authRoutes = (services: WriteServices): Route[] => {
  const registered = createRepeatedAnswers({ pool: services.pool });
  return [
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
      answers: answers(
        TokenAnswer,
        'New tokens. The old refresh token gives the same ones for some seconds, and ends the session afterwards',
      ),
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
      repeatable: true,
      handle: (exchange) => register(services, registered, exchange),
    }),
    ...signInRoutes(services),
    backchannelLogoutRoute(services),
  ];
};
