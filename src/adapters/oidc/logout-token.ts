import { errors, jwtVerify } from 'jose';
import { z } from 'zod';
import { Rejected } from '../../errors.ts';
import { CLOCK_TOLERANCE_SECONDS } from './clock-watch.ts';
import { identityUnavailable } from './identity-errors.ts';
import type { EndedSession } from './revocation-entries.ts';
import { type Issuer, issuerOf } from './token-verifier.ts';

const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** Maximum age of a logout token in seconds. Providers send it at once: an older one has been held back. */
const OLDEST_SECONDS = 15 * 60;

const LogoutPayload = z.object({
  iss: z.string(),
  iat: z.number(),
  exp: z.number(),
  jti: z.string().min(1),
  sub: z.string().min(1).optional(),
  sid: z.string().min(1).optional(),
  events: z.looseObject({ [LOGOUT_EVENT]: z.looseObject({}) }),
  nonce: z.never().optional(),
});

const invalid = (detail: string, cause?: unknown): Rejected =>
  new Rejected('malformed', 'invalid-logout-token', `The logout token ${detail}.`, {
    cause,
    // The error members that OpenID Connect Back-Channel Logout 1.0 requires.
    extra: { error: 'invalid_request', error_description: `The logout token ${detail}.` },
  });

export const repeatedLogoutToken = (): Rejected => invalid('was used before');

const refusalOf = (error: unknown): Rejected => {
  if (error instanceof Rejected) return error;
  if (!(error instanceof errors.JOSEError) || error.code === 'ERR_JOSE_GENERIC') return identityUnavailable(error);
  if (error instanceof errors.JWKSTimeout) return identityUnavailable(error);
  return invalid('is not valid', error);
};

/**
 * Verifies a logout token as OpenID Connect Back-Channel Logout 1.0 (section 2.6) demands, and returns the session that
 * has ended. The caller has to refuse a repeated token. Throws `Rejected`: `malformed` with code
 * `invalid-logout-token`, `unavailable` where the provider's keys cannot be fetched. `now` is in milliseconds since
 * 1970.
 */
export const readLogoutToken = async (
  logoutToken: string,
  issuers: readonly Issuer[],
  now: number,
): Promise<EndedSession> => {
  const from = issuerOf(logoutToken, issuers);
  if (from === null) throw invalid('is not from the identity provider');
  try {
    const { payload } = await jwtVerify(logoutToken, from.keys, {
      typ: 'logout+jwt',
      issuer: from.issuer,
      audience: from.rules.client_id,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: new Date(now),
      requiredClaims: ['iat', 'exp', 'jti', 'events'],
    });
    const parsed = LogoutPayload.safeParse(payload);
    if (!parsed.success) throw invalid('lacks a claim, or has one that it must not have', parsed.error);
    const { iss: issuer, iat, exp, jti, sid, sub } = parsed.data;
    if (sid === undefined && sub === undefined) throw invalid('names neither a session nor a subject');
    if (iat < now / 1000 - OLDEST_SECONDS) throw invalid('is too old');
    return {
      issuer,
      session_id: sid ?? null,
      subject: sub ?? null,
      ended_at: iat,
      message_id: jti,
      message_expires_at: exp + CLOCK_TOLERANCE_SECONDS,
    };
  } catch (error) {
    throw refusalOf(error);
  }
};
