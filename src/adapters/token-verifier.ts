import { hash } from 'node:crypto';
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';
import { Rejected } from '../errors.ts';
import { identityUnavailable } from './identity-errors.ts';
import { createLru } from './lru.ts';
import type { Revocations } from './revocations.ts';
import { type ClaimRules, type VerifiedToken, verifiedToken } from './token-claims.ts';

/** Seconds by which our clock and the provider's may differ. */
const CLOCK_TOLERANCE_SECONDS = 5;
const CACHED_TOKENS = 10_000;
const JWKS_TIMEOUT_MS = 5_000;
/** Between two fetches of the keys because a token names one that is not known: a flood of bad tokens stays ours. */
const JWKS_COOLDOWN_MS = 5_000;

export interface TokenVerifierOptions {
  issuer: string;
  jwks_uri: URL;
  rules: ClaimRules;
  revocations: Pick<Revocations, 'isRevoked'>;
  jwks_cooldown_ms?: number;
  /** Milliseconds since 1970. */
  now?: () => number;
}

export interface TokenVerifier {
  /** Throws `Rejected`, see `Identity.verify`; kind `unavailable` where the provider's keys cannot be fetched. */
  verify(accessToken: string): Promise<VerifiedToken>;
}

const expired = (cause?: unknown) =>
  new Rejected('unauthenticated', 'expired-token', 'The access token has expired.', { cause });
const revoked = () => new Rejected('unauthenticated', 'revoked-token', 'The access token has been revoked.');

const refusalOf = (error: unknown): Rejected => {
  if (error instanceof Rejected) return error;
  if (error instanceof errors.JWTExpired) return expired(error);
  if (error instanceof errors.JWKSTimeout) return identityUnavailable(error);
  // The keys could not be fetched: a network error, or an answer that is not a key set.
  if (!(error instanceof errors.JOSEError) || error.code === 'ERR_JOSE_GENERIC') return identityUnavailable(error);
  return new Rejected('unauthenticated', 'invalid-token', 'The access token is not valid.', { cause: error });
};

/**
 * Checks access tokens with the provider's public keys, without asking it. A token that was found good is remembered
 * by its hash until it expires; whether it was revoked is looked up every time. New signing keys are fetched when a
 * token names one.
 */
export const createTokenVerifier = (options: TokenVerifierOptions): TokenVerifier => {
  const { issuer, rules, revocations, now = Date.now, jwks_cooldown_ms = JWKS_COOLDOWN_MS } = options;
  const keys = createRemoteJWKSet(options.jwks_uri, {
    timeoutDuration: JWKS_TIMEOUT_MS,
    cooldownDuration: jwks_cooldown_ms,
  });
  const known = createLru<string, VerifiedToken>({ max: CACHED_TOKENS });

  const check = async (accessToken: string): Promise<VerifiedToken> => {
    try {
      const token = await jwtVerify(accessToken, keys, {
        issuer,
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        currentDate: new Date(now()),
        requiredClaims: ['exp'],
      });
      return verifiedToken(token, rules);
    } catch (error) {
      throw refusalOf(error);
    }
  };

  return {
    async verify(accessToken) {
      const key = hash('sha256', accessToken, 'base64');
      const cached = known.get(key);
      const token = cached ?? (await check(accessToken));
      if (cached === undefined) known.set(key, token);
      if (token.identity.expires_at + CLOCK_TOLERANCE_SECONDS <= now() / 1000) {
        known.delete(key);
        throw expired();
      }
      if (revocations.isRevoked(token.identity)) throw revoked();
      return token;
    },
  };
};
