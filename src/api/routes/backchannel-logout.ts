import { z } from 'zod';
import { Rejected } from '../../errors.ts';
import { publicRoute } from '../public-route.ts';
import type { Route } from '../route.ts';
import type { WriteServices } from '../write.ts';

/** Unknown fields are accepted: OpenID Connect Back-Channel Logout 1.0 lets the provider send more. */
const LogoutForm = z.looseObject({ logout_token: z.string().max(20_000).optional() });

const missing = () =>
  new Rejected('malformed', 'invalid-logout-token', 'The form has no logout_token.', {
    extra: { error: 'invalid_request', error_description: 'The form has no logout_token.' },
  });

/** Called by the identity provider, with a signed logout token, when a session ends there. */
export const backchannelLogoutRoute = ({ identity }: WriteServices): Route =>
  publicRoute({
    method: 'POST',
    path: '/auth/backchannel-logout',
    operation_id: 'endSession',
    summary: 'Receive a back-channel logout token and revoke the tokens of its session',
    tag: 'auth',
    body_kind: 'form',
    body: LogoutForm,
    answers: { ok: { description: 'The session has ended', schema: null } },
    refusals: ['unavailable'],
    handle: async ({ body: { logout_token } }) => {
      if (logout_token === undefined || logout_token === '') throw missing();
      await identity.endSession(logout_token);
      return { success: 'ok', headers: { 'Cache-Control': 'no-store' } };
    },
  });
