import { z } from 'zod';
import { Rejected } from '../../errors.ts';
import { publicRoute } from '../public-route.ts';
import type { Route } from '../route.ts';
import type { WriteServices } from '../write.ts';

/** The provider may send further fields: OpenID Connect Back-Channel Logout 1.0 leaves room for them. */
const LogoutForm = z.looseObject({ logout_token: z.string().max(20_000).optional() });

const missing = () =>
  new Rejected('malformed', 'invalid-logout-token', 'The form has no logout_token.', {
    extra: { error: 'invalid_request', error_description: 'The form has no logout_token.' },
  });

/** For the identity provider, which signs what it sends: sessions that ended there end here. */
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
