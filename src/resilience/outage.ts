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

/** How long nothing may be given up before an outage counts as over that somebody has given up in. */
const SETTLED_MS = 30_000;

/** One of several who find out about the same system. */
export interface OutagePart<Failure = unknown> extends Outage<Failure> {
  /** It asks no more, and may have failed to the last. */
  end(): void;
}

export interface SharedOutage<Failure = unknown> {
  part(): OutagePart<Failure>;
}

/**
 * An outage that several find out about, such as all readers of a log: what one of them cannot do, another one may. It
 * begins with the first that fails, and is over only when none fails: when each has succeeded since and, where some have
 * given up, no other one has for a while.
 */
export const createSharedOutage = <Failure = unknown>(options: OutageOptions<Failure>): SharedOutage<Failure> => {
  const { now = () => performance.now() } = options;
  const outage = createOutage(options);
  const failing = new Set<OutagePart<Failure>>();
  let givenUpAt = Number.NEGATIVE_INFINITY;

  return {
    part() {
      const part: OutagePart<Failure> = {
        failed(failure) {
          failing.add(part);
          outage.failed(failure);
        },
        ok(fields) {
          failing.delete(part);
          if (failing.size === 0 && now() - givenUpAt >= SETTLED_MS) outage.ok(fields);
        },
        end() {
          if (failing.delete(part)) givenUpAt = now();
        },
      };
      return part;
    },
  };
};
