import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from 'jose';
import type { Logger } from 'pino';
import { createOutage } from '../../resilience/outage.ts';
import type { ReachRealm } from './discovery.ts';
import { identityUnavailable } from './identity-errors.ts';

const TIMEOUT_MS = 5_000;
/**
 * Minimum time between two fetches because of unknown keys, so that a flood of bad tokens does not reach the provider.
 */
const COOLDOWN_MS = 5_000;
/**
 * How long the last keys are used while the provider is down: its tokens stay valid, but a withdrawn key must not be
 * trusted for ever.
 */
const MAX_AGE_MS = 24 * 60 * 60_000;

export interface SigningKeysOptions {
  jwks_uri: URL;
  fetch: ReachRealm;
  log: Logger;
  /** Minimum time between two fetches because of unknown keys, in milliseconds. */
  cooldown_ms?: number | undefined;
}

/**
 * The provider's public keys. They are fetched at first use, every ten minutes, and when a token names an unknown one.
 * While they cannot be fetched, the last ones are used for up to a day. Throws `Rejected` `unavailable` where a key is
 * unknown and the keys cannot be fetched.
 */
export const createSigningKeys = (options: SigningKeysOptions): JWTVerifyGetKey => {
  const { jwks_uri, log, cooldown_ms = COOLDOWN_MS } = options;
  const outage = createOutage({
    logger: log,
    failing: (err) => ({
      message: 'the signing keys cannot be fetched: those of the last time serve',
      fields: { err },
    }),
    working: 'the signing keys can be fetched again',
  });
  let last: { text: string; at: number } | null = null;
  let failure: unknown = null;

  const fetchOrLast = async (url: string, init: RequestInit): Promise<Response> => {
    try {
      const response = await options.fetch(url, init);
      if (response.status !== 200) throw new Error(`the signing keys were answered with ${response.status}`);
      last = { text: await response.text(), at: Date.now() };
      failure = null;
      outage.ok();
      return new Response(last.text);
    } catch (error) {
      failure = error;
      if (last === null || Date.now() - last.at > MAX_AGE_MS) throw error;
      outage.failed(error);
      return new Response(last.text);
    }
  };

  const keys = createRemoteJWKSet(jwks_uri, {
    timeoutDuration: TIMEOUT_MS,
    cooldownDuration: cooldown_ms,
    [customFetch]: fetchOrLast,
  });

  return async (header, token) => {
    try {
      return await keys(header, token);
    } catch (error) {
      // The missing key may be a new one.
      if (failure !== null) throw identityUnavailable(failure);
      throw error;
    }
  };
};
