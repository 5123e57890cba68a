import { createHmac } from 'node:crypto';
import type { Context } from 'koa';
import { z } from 'zod';
import { Rejected } from '../../errors.ts';
import { sameSecret } from '../http/same-secret.ts';
import { publicRoute } from '../public-route.ts';
import { answers, ok, type Route } from '../route.ts';
import type { WriteServices } from '../write.ts';

const tag = 'auth';
const COOKIE = 'budapp_sign_in';
const MAX_AGE_SECONDS = 600;
const CALLBACK = '/auth/callback';

/** The name of a realm of the identity provider. */
export const RealmName = z.string().min(1).max(255);

export const TokenAnswer = z.object({
  access_token: z.string(),
  refresh_token: z.string(),
  token_type: z.literal('Bearer'),
  /** Seconds until the access token expires. */
  expires_in: z.number(),
});

const Pending = z.object({
  state: z.string(),
  code_verifier: z.string(),
  redirect_uri: z.string(),
  realm: z.string(),
  /** Milliseconds since 1970. */
  until: z.number(),
});
type Pending = z.output<typeof Pending>;

const signatureOf = (secret: string, text: string): string =>
  createHmac('sha256', secret).update(`sign-in:${text}`).digest('base64url');

const pack = (secret: string, pending: Pending): string => {
  const text = Buffer.from(JSON.stringify(pending)).toString('base64url');
  return `${text}.${signatureOf(secret, text)}`;
};

const invalidSignIn = () =>
  new Rejected('unauthenticated', 'sign-in-lost', 'This sign-in is unknown or has expired.', {
    hint: 'Start again at GET /auth/authorize.',
  });

const unpack = (secret: string, cookie: string | undefined): Pending => {
  const [text = '', signature = ''] = (cookie ?? '').split('.');
  if (text === '' || !sameSecret(signature, signatureOf(secret, text))) throw invalidSignIn();
  // The signature is valid, but an older version may have written other fields.
  const pending = Pending.safeParse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
  if (!pending.success || pending.data.until < Date.now()) throw invalidSignIn();
  return pending.data;
};

/** The browser keeps the state of the sign-in in a cookie, so that any process of the installation can complete it. */
const setCookie = (ctx: Context, value: string, publicUrl: string, maxAge: number): void => {
  const secure = publicUrl.startsWith('https:') ? '; Secure' : '';
  ctx.append('Set-Cookie', `${COOKIE}=${value}; Path=/auth; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${secure}`);
};

/** Authorization code flow with PKCE: a browser signs in at the identity provider's own page. */
export const signInRoutes = ({ identity, settings, callers }: WriteServices): Route[] => {
  // All processes of an installation share this secret; the prefix in `signatureOf` separates this use from the other.
  const secret = settings.dapr_api_token;
  const ownCallback = `${settings.public_url}${CALLBACK}`;
  return [
    publicRoute({
      method: 'GET',
      path: '/auth/authorize',
      operation_id: 'authorize',
      summary: 'Redirect a browser to the identity provider to sign in',
      tag,
      query: z.strictObject({
        redirect_uri: z.url().max(2000).default(ownCallback),
        /** The realm; default: the identity provider's first. */
        realm: RealmName.optional(),
      }),
      answers: {
        found: {
          description: 'Redirect to the sign-in page',
          schema: null,
          headers: { Location: 'always', 'Set-Cookie': 'always' },
        },
      },
      refusals: ['invalid', 'unavailable'],
      handle: async ({ query, ctx }) => {
        const { url, ...pending } = await identity.authorizationUrl(query);
        const until = Date.now() + MAX_AGE_SECONDS * 1000;
        setCookie(ctx, pack(secret, { ...pending, until }), settings.public_url, MAX_AGE_SECONDS);
        return { success: 'found', headers: { Location: url, 'Cache-Control': 'no-store' } };
      },
    }),
    publicRoute({
      method: 'GET',
      path: CALLBACK,
      operation_id: 'completeSignIn',
      summary: 'Complete the sign-in after the redirect from the identity provider',
      tag,
      // Further parameters of the provider (session_state, iss) pass: `exchangeCode` checks them.
      query: z.looseObject({ code: z.string().optional(), state: z.string().optional(), error: z.string().optional() }),
      answers: answers(TokenAnswer, 'Access and refresh token', { 'Set-Cookie': 'always' }),
      refusals: ['unauthenticated', 'unavailable'],
      // A code that was refused is of no more use: the browser forgets the sign-in then, too.
      refusal_headers: { 'Set-Cookie': 'sometimes' },
      handle: async ({ ctx }) => {
        const pending = unpack(secret, ctx.cookies.get(COOKIE));
        const callback_url = new URL(ctx.url, settings.public_url).href;
        try {
          const tokens = await identity.exchangeCode({ ...pending, callback_url });
          await callers.fromToken(tokens.access_token);
          setCookie(ctx, '', settings.public_url, 0);
          return ok(tokens, { 'Cache-Control': 'no-store' });
        } catch (error) {
          // With what it keeps, the browser can ask again for what could not be answered now.
          const isOver = error instanceof Rejected && error.kind !== 'unavailable';
          if (isOver) setCookie(ctx, '', settings.public_url, 0);
          throw error;
        }
      },
    }),
  ];
};
