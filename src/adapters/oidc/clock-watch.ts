import type { Logger } from 'pino';
import { createThrottle } from '../../resilience/throttle.ts';

/** Seconds by which our clock and the provider's may differ. */
export const CLOCK_TOLERANCE_SECONDS = 5;
const SAY_AGAIN_MS = 60_000;

export interface ClockWatch {
  /** A token was made just now: `issued_at` (seconds since 1970) is what the provider's clock says. */
  madeJustNow(issuedAt: number): void;
  /** A token was shown: the provider's clock cannot be behind the time that it bears. */
  shown(issuedAt: number): void;
  /** What the provider's clock says now, as far as its tokens told; seconds since 1970. */
  providerNow(): number;
}

/**
 * Compares our clock with the identity provider's by the times that its tokens bear, and tells the operator where they are
 * apart: the refusals that follow from that look like anything but a clock.
 */
export const createClockWatch = ({ log, now }: { log: Logger; now: () => number }): ClockWatch => {
  const throttled = createThrottle({ every_ms: SAY_AGAIN_MS, now });
  let providerAheadSeconds = 0;

  const differ = (seconds: number): void =>
    throttled(() => {
      const way = seconds > 0 ? 'behind' : 'ahead of';
      log.warn(
        { clock_difference_seconds: Math.round(seconds) },
        `the clock of this machine is ${Math.abs(Math.round(seconds))} s ${way} the identity provider's: tokens are taken too long, or refused too early; look at NTP on both machines`,
      );
    });

  const learn = (ahead: number): void => {
    providerAheadSeconds = ahead;
    if (Math.abs(ahead) > CLOCK_TOLERANCE_SECONDS) differ(ahead);
  };

  return {
    madeJustNow: (issuedAt) => learn(issuedAt - now() / 1000),
    shown: (issuedAt) => {
      const ahead = issuedAt - now() / 1000;
      if (ahead > CLOCK_TOLERANCE_SECONDS && ahead > providerAheadSeconds) learn(ahead);
    },
    providerNow: () => now() / 1000 + providerAheadSeconds,
  };
};
