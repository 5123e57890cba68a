import { hash } from 'node:crypto';
import { decodeJwt, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import { Rejected } from '../../errors.ts';
import { CLOCK_TOLERANCE_SECONDS, type ClockWatch } from './clock-watch.ts';
import { identityUnavailable } from './identity-errors.ts';
import type { Revocations } from './revocations.ts';
import { type ClaimRules, type VerifiedToken, verifiedToken } from './token-claims.ts';

const CACHED_TOKENS = 10_000;

/** An issuer whose tokens are accepted. */
export interface Issuer {
  issuer: string;
  keys: JWTVerifyGetKey;
  rules: ClaimRules;
}

export interface TokenVerifierOptions {
  issuers: readonly Issuer[];
  revocations: Pick<Revocations, 'isRevoked'>;
  clock: ClockWatch;
  /** The current time in milliseconds since 1970. */
  now: () => number;
}

export interface TokenVerifier {
  /** Throws `Rejected`, see `Identity.verify`; kind `unavailable` where the provider's keys cannot be fetched. */
  verify(accessToken: string): Promise<VerifiedToken>;
}

const unauthenticated = (code: string, message: string, cause?: unknown) =>
  new Rejected('unauthenticated', code, message, { cause });
const expired = (cause?: unknown) => unauthenticated('expired-token', 'The access token has expired.', cause);

const refusalOf = (error: unknown): Rejected => {
  if (error instanceof Rejected) return error;
  if (error instanceof errors.JWTExpired) return expired(error);
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'nbf') {
    return unauthenticated('invalid-token', 'The access token is not valid yet: two clocks differ.', error);
  }
  if (error instanceof errors.JWKSTimeout) return identityUnavailable(error);
  // The keys could not be fetched: a network error, or an answer that is not a key set.
  if (!(error instanceof errors.JOSEError) || error.code === 'ERR_JOSE_GENERIC') return identityUnavailable(error);
  return unauthenticated('invalid-token', 'The access token is not valid.', error);
};

/** The issuer among `issuers` that the token names. The caller has to verify the signature. */
export const issuerOf = <Candidate extends { issuer: string }>(
  token: string,
  issuers: readonly Candidate[],
): Candidate | null => {
  const [only, ...others] = issuers;
  if (only !== undefined && others.length === 0) return only;
  try {
    const { iss } = decodeJwt(token);
    return issuers.find(({ issuer }) => issuer === iss) ?? null;
  } catch {
    return null;
  }
};

/**
 * Verifies access tokens with the provider's public keys, without calling it. A verified token is cached by its hash
 * until it expires; whether it was revoked is checked every time. New signing keys are fetched when a token names one.
 */
export const createTokenVerifier = ({ issuers, revocations, clock, now }: TokenVerifierOptions): TokenVerifier => {
  const known = new LRUCache<string, VerifiedToken>({ max: CACHED_TOKENS });

  const check = async (accessToken: string): Promise<VerifiedToken> => {
    const from = issuerOf(accessToken, issuers);
    if (from === null) throw unauthenticated('invalid-token', 'The access token is from an unknown issuer.');
    try {
      const token = await jwtVerify(accessToken, from.keys, {
        issuer: from.issuer,
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        currentDate: new Date(now()),
        requiredClaims: ['exp'],
      });
      const verified = verifiedToken(token, from.rules);
      clock.tokenReceived(verified.identity.issued_at);
      return verified;
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
      if (await revocations.isRevoked(token.identity)) {
        throw unauthenticated('revoked-token', 'The access token has been revoked.');
      }
      return token;
    },
  };
};
