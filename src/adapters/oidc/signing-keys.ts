import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from 'jose';
import type { Logger } from 'pino';
import { createOutage } from '../../resilience/outage.ts';
import type { ReachRealm } from './discovery.ts';
import { identityUnavailable } from './identity-errors.ts';

const TIMEOUT_MS = 5_000;
/** Between two fetches of the keys because a token names one that is not known: a flood of bad tokens stays ours. */
const COOLDOWN_MS = 5_000;
/** While the provider is down its tokens stay good, but a key that it withdrew must not be trusted for ever. */
const KEEP_MS = 24 * 60 * 60_000;

export interface SigningKeysOptions {
  jwks_uri: URL;
  fetch: ReachRealm;
  log: Logger;
  /** Least time between two fetches because of unknown keys, in milliseconds. */
  cooldown_ms?: number | undefined;
}

/**
 * The provider's public keys: fetched when they are first needed, every ten minutes, and when a token names one that is
 * not known. While they cannot be fetched, those of the last time serve for up to a day. Throws `Rejected` `unavailable`
 * where the right one may be among those that cannot be fetched.
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
  let kept: { text: string; at: number } | null = null;
  let failure: unknown = null;

  const fetchOrKept = async (url: string, init: RequestInit): Promise<Response> => {
    try {
      const response = await options.fetch(url, init);
      if (response.status !== 200) throw new Error(`the signing keys were answered with ${response.status}`);
      kept = { text: await response.text(), at: Date.now() };
      failure = null;
      outage.ok();
      return new Response(kept.text);
    } catch (error) {
      failure = error;
      if (kept === null || Date.now() - kept.at > KEEP_MS) throw error;
      outage.failed(error);
      return new Response(kept.text);
    }
  };

  const keys = createRemoteJWKSet(jwks_uri, {
    timeoutDuration: TIMEOUT_MS,
    cooldownDuration: cooldown_ms,
    [customFetch]: fetchOrKept,
  });

  return async (header, token) => {
    try {
      return await keys(header, token);
    } catch (error) {
      // The key that is missing may be a new one, which could not be fetched.
      if (failure !== null) throw identityUnavailable(failure);
      throw error;
    }
  };
};
