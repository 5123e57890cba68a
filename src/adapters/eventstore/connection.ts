import { convertToCommandError, ErrorType, isCommandError, NotLeaderError, UnknownError } from '@eventstore/db-client';
import type { Logger } from 'pino';
import { Rejected, WrongExpectedRevision } from '../../errors.ts';
import { type BackoffPolicy, waitForRetry } from '../../resilience/backoff.ts';
import type { OutageOptions, SharedOutage } from '../../resilience/outage.ts';
import { SETTING } from './address.ts';
import type { EventStoreClient } from './client.ts';

/** The server did not answer in time. */
export class ResponseTimeout extends Error {
  constructor(what: string) {
    super(`no answer in time: ${what}`);
    this.name = 'ResponseTimeout';
  }
}

/** A call ended without an error, but before its answer was complete. */
export class EndedEarly extends Error {
  constructor(what: string) {
    super(`ended early: ${what}`);
    this.name = 'EndedEarly';
  }
}

/**
 * gRPC codes of failures that may pass: cancelled, unknown, deadline exceeded, permission denied, resource exhausted,
 * aborted, internal, unavailable, unauthenticated. Permission denied is one of them, since a password can be corrected
 * on the server while BudApp runs.
 */
const PASSING_CODES = [1, 2, 4, 7, 8, 10, 13, 14, 16];
const PASSING_TYPES: readonly string[] = [
  ErrorType.UNAVAILABLE,
  ErrorType.NOT_LEADER,
  ErrorType.CANCELLED,
  ErrorType.TIMEOUT,
  ErrorType.DEADLINE_EXCEEDED,
  ErrorType.ACCESS_DENIED,
];
/** An aborted signal's default reason is a `DOMException`. */
const MISTAKES = [Rejected, WrongExpectedRevision, TypeError, RangeError, SyntaxError, DOMException];

/** The node is not the leader. The client knows the leader now, and connects to it next time. */
export const isNotLeader = (error: unknown): boolean =>
  error instanceof Error && convertToCommandError(error) instanceof NotLeaderError;

/**
 * The position of a read lies inside a record, so that it is of another log or of a lost part of this one. The server has
 * no code for it: it answers `UNKNOWN` and these words.
 */
export const isInvalidPosition = (error: unknown): boolean =>
  error instanceof UnknownError && error.message.includes('ReadAllResult: InvalidPosition');

const GRPC_UNAUTHENTICATED = 16;

/** The server does not know the user with this password, or the user was disabled. */
export const isUnauthenticated = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false;
  const known = convertToCommandError(error);
  return isCommandError(known) && known.code === GRPC_UNAUTHENTICATED;
};

/** The server refuses the user, or what the user wants. */
export const isAccessDenied = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false;
  const known = convertToCommandError(error);
  return isUnauthenticated(error) || (isCommandError(known) && known.type === ErrorType.ACCESS_DENIED);
};

/** True where the same call may succeed later: no connection, no leader, no answer. */
export const isTransient = (error: unknown): boolean => {
  if (!(error instanceof Error) || MISTAKES.some((mistake) => error instanceof mistake)) return false;
  const known = convertToCommandError(error);
  if (isInvalidPosition(known)) return false;
  // Any other plain error of the client means that no node was found.
  if (!isCommandError(known)) return true;
  if (PASSING_TYPES.includes(known.type)) return true;
  return known.type === ErrorType.UNKNOWN && (known.code === undefined || PASSING_CODES.includes(known.code));
};

export const logUnavailable = (cause: unknown): Rejected =>
  new Rejected('unavailable', 'log-unavailable', 'The log cannot be reached.', { cause, retryAfterSeconds: 5 });

export const logClosed = (): Rejected => new Rejected('unavailable', 'log-closed', 'The log has been closed.');

export const BACKOFF: BackoffPolicy = { first_ms: 25, longest_ms: 2000 };

/** A user whom the server refuses is refused again, but for a moment at its start. Health checks wait for no longer. */
const REFUSED_GIVE_UP_MS = 1000;

export interface RetryOptions {
  /** Milliseconds after which the last failure is thrown as `log-unavailable`; absent: never. */
  giveUpAfter?: number;
  /** Stops the retries; its reason is thrown then. */
  signal: AbortSignal;
  /** Notified of failures that may pass and of success; absent where the caller reports failures itself. */
  outage?: SharedOutage | undefined;
}

export type Retry = <T>(run: () => Promise<T>) => Promise<T>;

/** Makes a function that runs another one, and retries it with jittered back-off where the connection failed. */
export const retryWith =
  ({ giveUpAfter = Number.POSITIVE_INFINITY, signal, outage }: RetryOptions): Retry =>
  async (run) => {
    const start = performance.now();
    const part = outage?.part();
    try {
      for (let failures = 1; ; failures += 1) {
        signal.throwIfAborted();
        try {
          const result = await run();
          part?.ok();
          return result;
        } catch (error) {
          signal.throwIfAborted();
          if (!isTransient(error)) throw error;
          part?.failed(error);
          const limit = isAccessDenied(error) ? Math.min(giveUpAfter, REFUSED_GIVE_UP_MS) : giveUpAfter;
          if (giveUpAfter < Number.POSITIVE_INFINITY && performance.now() - start >= limit) throw logUnavailable(error);
          await waitForRetry(failures, BACKOFF, signal);
        }
      }
    } finally {
      part?.end();
    }
  };

/** What is logged while EventStoreDB cannot do something. */
export const eventStoreOutage = ({ logger, what }: { logger: Logger; what: string }): OutageOptions<unknown> => ({
  logger,
  failing: (err) => ({
    message: `EventStoreDB (${SETTING}): ${what}: trying again`,
    fields: { err, setting: SETTING },
  }),
  working: `EventStoreDB (${SETTING}) works again`,
});

export interface Connection {
  /**
   * Runs `run` with the current client. Where that fails for a reason that may pass, later calls get a new client,
   * since this one's knowledge of the cluster may be wrong. The old one is closed once no call uses it.
   */
  use<T>(run: (client: EventStoreClient) => Promise<T>): Promise<T>;
  /** How many clients have failed: where it grows, the server may have come back with another log. */
  failures(): number;
  close(): Promise<void>;
}

export const createConnection = (open: () => EventStoreClient): Connection => {
  let current = { client: open(), users: 0 };
  const closing = new Set<Promise<void>>();

  const closeClient = ({ client }: typeof current): void => {
    const closed: Promise<void> = client.close().finally(() => closing.delete(closed));
    closing.add(closed);
  };

  let failures = 0;

  const renew = (failed: typeof current): void => {
    if (failed !== current) return;
    failures += 1;
    current = { client: open(), users: 0 };
  };

  return {
    async use(run) {
      const mine = current;
      mine.users += 1;
      try {
        return await run(mine.client);
      } catch (error) {
        // Keeps this client, which knows the new leader now.
        if (isTransient(error) && !isNotLeader(error)) renew(mine);
        throw error;
      } finally {
        mine.users -= 1;
        if (mine !== current && mine.users === 0) closeClient(mine);
      }
    },
    failures: () => failures,
    async close() {
      closeClient(current);
      await Promise.all(closing);
    },
  };
};
