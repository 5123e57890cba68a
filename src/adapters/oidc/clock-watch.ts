import type { Logger } from 'pino';
import { createThrottle } from '../../resilience/throttle.ts';

/** Accepted difference between this machine's clock and the provider's, in seconds. */
export const CLOCK_TOLERANCE_SECONDS = 5;
const LOG_EVERY_MS = 60_000;

export interface ClockWatch {
  /**
   * To be called when a token has just been issued: `issued_at` (seconds since 1970) is the provider's current time.
   */
  tokenIssued(issuedAt: number): void;
  /** To be called when a token was received: the provider's clock cannot be behind its `issued_at`. */
  tokenReceived(issuedAt: number): void;
  /** The provider's current time as derived from its tokens; seconds since 1970. */
  providerNow(): number;
}

/**
 * Compares this machine's clock with the identity provider's by the times in its tokens, and logs a difference: the
 * refusals that it causes do not point to a clock.
 */
export const createClockWatch = ({ log, now }: { log: Logger; now: () => number }): ClockWatch => {
  const throttled = createThrottle({ every_ms: LOG_EVERY_MS, now });
  let providerAheadSeconds = 0;

  const logDifference = (seconds: number): void =>
    throttled(() => {
      const way = seconds > 0 ? 'behind' : 'ahead of';
      log.warn(
        { clock_difference_seconds: Math.round(seconds) },
        `the clock of this machine is ${Math.abs(Math.round(seconds))} s ${way} the identity provider's: tokens are taken too long, or refused too early; look at NTP on both machines`,
      );
    });

  const learn = (ahead: number): void => {
    providerAheadSeconds = ahead;
    if (Math.abs(ahead) > CLOCK_TOLERANCE_SECONDS) logDifference(ahead);
  };

  return {
    tokenIssued: (issuedAt) => learn(issuedAt - now() / 1000),
    tokenReceived: (issuedAt) => {
      const ahead = issuedAt - now() / 1000;
      if (ahead > CLOCK_TOLERANCE_SECONDS && ahead > providerAheadSeconds) learn(ahead);
    },
    providerNow: () => now() / 1000 + providerAheadSeconds,
  };
};
