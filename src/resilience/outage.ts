import type { Logger } from 'pino';

/** Where it lasts, a person who looks at today's log only sees it, too. */
const REPEAT_MS = 5 * 60_000;

export interface OutageLine {
  level?: 'warn' | 'error';
  /** Names the settings to look at. */
  message: string;
  fields?: object;
}

export interface OutageOptions<Failure> {
  /** Without it nothing is told. */
  logger: Logger | undefined;
  /** What is told of a failure. Another message is told at once: the reason has changed. */
  failing: (failure: Failure) => OutageLine;
  /** Told once it works again, with `outage_ms`. */
  working: OutageLine['message'];
  repeat_ms?: number;
  /** Milliseconds of a clock that only goes forward. */
  now?: () => number;
}

/** Tells that something fails, and that it works again, and not each failure in between. */
export interface Outage<Failure = unknown> {
  failed(failure: Failure): void;
  ok(fields?: object): void;
}

/**
 *     working -- failed: told --> failing -- ok: told, with how long it lasted --> working
 *                                  |   ^
 *                                  +---+ failed: told where the message is another one, or after `repeat_ms`
 */
export const createOutage = <Failure = unknown>(options: OutageOptions<Failure>): Outage<Failure> => {
  const { logger, failing, working, repeat_ms = REPEAT_MS, now = () => performance.now() } = options;
  let lasting: { since: number; message: string; told_at: number } | null = null;

  return {
    failed(failure) {
      const { level = 'warn', message, fields } = failing(failure);
      const at = now();
      if (lasting?.message === message && at - lasting.told_at < repeat_ms) return;
      const since = lasting?.since ?? at;
      logger?.[level](lasting ? { ...fields, outage_ms: Math.round(at - since) } : { ...fields }, message);
      lasting = { since, message, told_at: at };
    },
    ok(fields) {
      if (lasting === null) return;
      logger?.info({ ...fields, outage_ms: Math.round(now() - lasting.since) }, working);
      lasting = null;
    },
  };
};
