import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type Provider from 'oidc-provider';
import { errors } from 'oidc-provider';
import { BodyTooLarge, readBounded } from '../../resilience/bounded-body.ts';
import { errorPage, loginPage } from './login-page.ts';
import type { PasswordLogin } from './password-login.ts';

interface PageContext {
  method: string;
  path: string;
  req: IncomingMessage;
  res: ServerResponse;
  status: number;
  type: string;
  body: unknown;
  set(headers: Record<string, string>): void;
}

const MOST_FORM_BYTES = 16 * 1024;

const HEADERS = {
  'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
  'Cache-Control': 'no-store',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

const readForm = async (request: IncomingMessage): Promise<URLSearchParams | null> => {
  try {
    return new URLSearchParams((await readBounded(request, MOST_FORM_BYTES)).toString('utf8'));
  } catch (error) {
    if (error instanceof BodyTooLarge) return null;
    throw error;
  }
};

const sameText = (left: string, right: string): boolean => {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
};

const answer = (ctx: PageContext, status: number, html: string): void => {
  ctx.set(HEADERS);
  ctx.status = status;
  ctx.type = 'html';
  ctx.body = html;
};

/**
 * The login page of the authorization code flow. An interaction is bound to the browser that began it by a signed
 * cookie; the form carries a second secret derived from the interaction, so that no other site can submit it.
 */
export const registerLoginPages = (provider: Provider, login: PasswordLogin, csrfKey: string): void => {
  const csrfOf = (uid: string) => createHmac('sha256', csrfKey).update(`login-form:${uid}`).digest('base64url');
  const form = (uid: string, email: string, fault: string | null) =>
    loginPage({ action: `/interaction/${uid}`, csrf: csrfOf(uid), email, fault });

  const submit = async (ctx: PageContext, uid: string): Promise<void> => {
    const fields = await readForm(ctx.req);
    if (fields === null) {
      // Closes the connection: the rest of the body is not read, and the next request would wait behind it.
      ctx.set({ Connection: 'close' });
      return answer(ctx, 413, errorPage('The form was too large.'));
    }
    if (!sameText(fields.get('csrf') ?? '', csrfOf(uid))) {
      return answer(ctx, 403, errorPage('The form did not come from this sign-in.'));
    }
    const email = fields.get('email') ?? '';
    const outcome = await login(email, fields.get('password') ?? '');
    if (outcome.kind === 'throttled') {
      return answer(ctx, 429, form(uid, email, `Too many failed attempts. Try again in ${outcome.wait_seconds} s.`));
    }
    if (outcome.kind === 'refused') return answer(ctx, 401, form(uid, email, 'The e-mail or the password is wrong.'));
    const result = { login: { accountId: outcome.user.id, amr: ['pwd'] } };
    const location = await provider.interactionResult(ctx.req, ctx.res, result);
    ctx.set({ Location: location });
    answer(ctx, 303, '');
  };

  const handle = async (ctx: PageContext): Promise<void> => {
    const { uid, params } = await provider.interactionDetails(ctx.req, ctx.res);
    if (ctx.path !== `/interaction/${uid}`) return answer(ctx, 404, errorPage('This sign-in is not known.'));
    if (ctx.method === 'POST') return submit(ctx, uid);
    const hint = params.login_hint;
    answer(ctx, 200, form(uid, typeof hint === 'string' ? hint : '', null));
  };

  provider.use(async (ctx, next) => {
    const mine = ctx.path.startsWith('/interaction/') && (ctx.method === 'GET' || ctx.method === 'POST');
    if (!mine) {
      await next();
      return;
    }
    try {
      await handle(ctx);
    } catch (error) {
      if (!(error instanceof errors.SessionNotFound)) throw error;
      answer(ctx, 400, errorPage('This sign-in has expired or was begun in another browser.'));
    }
  });
};
