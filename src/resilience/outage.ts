import type { Logger } from 'pino';

/** How often a lasting outage is logged again, so that the log of any hour shows it. */
const REPEAT_MS = 5 * 60_000;

export interface OutageLine {
  level?: 'warn' | 'error';
  /** Names the settings to look at. */
  message: string;
  fields?: object;
}

export interface OutageOptions<Failure> {
  /** Absent: nothing is logged. */
  logger: Logger | undefined;
  /** The line for a failure. A line with another message is logged at once: the reason has changed. */
  failing: (failure: Failure) => OutageLine;
  /** Logged with `outage_ms` at the first success after a failure. */
  working: OutageLine['message'];
  repeat_ms?: number;
  /** A monotonic clock, in milliseconds. */
  now?: () => number;
}

/** Logs the beginning and the end of an outage, and not each failure in between. */
export interface Outage<Failure = unknown> {
  failed(failure: Failure): void;
  ok(fields?: object): void;
}

/**
 *     working -- failed: logged --> failing -- ok: logged, with the duration --> working
 *                                    |   ^
 *                                    +---+ failed: logged where the message has changed, or after `repeat_ms`
 */
export const createOutage = <Failure = unknown>(options: OutageOptions<Failure>): Outage<Failure> => {
  const { logger, failing, working, repeat_ms = REPEAT_MS, now = () => performance.now() } = options;
  let lasting: { since: number; message: string; logged_at: number } | null = null;

  return {
    failed(failure) {
      const { level = 'warn', message, fields } = failing(failure);
      const at = now();
      if (lasting?.message === message && at - lasting.logged_at < repeat_ms) return;
      const since = lasting?.since ?? at;
      logger?.[level](lasting ? { ...fields, outage_ms: Math.round(at - since) } : { ...fields }, message);
      lasting = { since, message, logged_at: at };
    },
    ok(fields) {
      if (lasting === null) return;
      logger?.info({ ...fields, outage_ms: Math.round(now() - lasting.since) }, working);
      lasting = null;
    },
  };
};
