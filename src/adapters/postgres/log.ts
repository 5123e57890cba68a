import type { Pool } from 'pg';
import { unknownPosition } from '../../errors.ts';
import type { Position, RecordedEvent } from '../../events/event.ts';
import type { CaughtUp, Log, SubscribeOptions } from '../../ports/log.ts';
import { checkAppend } from '../append-check.ts';
import { caughtUpAt } from '../caught-up.ts';
import { filtered } from '../log-filter.ts';
import { itemsOf } from '../page-items.ts';
import { createPool, logClosed, retryWith } from './connection.ts';
import { isBeyond } from './head-news.ts';
import { createAppender } from './log-append.ts';
import { createHeadWatch } from './log-head.ts';
import { type Range, type ReadLog, readLog, readStream } from './log-read.ts';
import { checkPosition, selectHead, selectNewest, selectStanding } from './log-row.ts';
import { createTail } from './log-tail.ts';

export interface PostgresLogOptions {
  /** The migrated database; the log opens (and closes) its own small pool. */
  connectionString?: string;
  /**
   * Alternatively a pool of the caller, which the log does not close. The log keeps one of its connections for
   * listening.
   */
  pool?: Pool;
  /** Milliseconds for which an append or a read is retried while the server cannot be reached. */
  timeout?: number;
  /** Milliseconds between polls for new events when no notification arrives. */
  pollInterval?: number;
}

/**
 * The log in Postgres, over the schema of `migrations/0001-log.sql`. Throws `log-unavailable` where the server does not
 * answer in time, and the driver's error where the schema is missing.
 */
export const createPostgresLog = async ({
  connectionString,
  pool: givenPool,
  timeout = 10_000,
  pollInterval = 250,
}: PostgresLogOptions): Promise<Log> => {
  const pool = givenPool ?? createPool(connectionString);
  const closing = new AbortController();
  const appender = createAppender({ pool, timeout });
  const bounded: ReadLog = { pool, retry: retryWith({ signal: closing.signal, giveUpAfter: timeout }) };
  const tail = createTail(bounded);
  const headWatch = createHeadWatch({ pool, pollInterval, onLost: tail.forget });
  const head = (): Promise<Position | null> => bounded.retry(() => selectHead(pool));

  const close = async (): Promise<void> => {
    if (closing.signal.aborted) return;
    await appender.close();
    closing.abort(logClosed());
    await headWatch.close();
    if (!givenPool) await pool.end();
  };

  /** The new events of a live reader: from the tail where it reaches back far enough, else from the log. */
  async function* news(log: ReadLog, range: Range & { caughtUp: boolean }) {
    const { after, after_id, upTo, filter, caughtUp } = range;
    const shared =
      caughtUp && after !== null ? await log.retry(() => tail.between({ position: after, id: after_id }, upTo)) : null;
    if (shared) yield filtered(shared, filter);
    else yield* readLog(log, range);
  }

  async function* pagesOf(
    { after, after_id, filter, live, signal }: SubscribeOptions,
    ending: AbortSignal,
  ): AsyncGenerator<readonly (RecordedEvent | CaughtUp)[], void> {
    // A live reader waits for the server without a limit.
    const reading: ReadLog = live ? { pool, retry: retryWith({ signal: ending }) } : bounded;
    let position: Position | null = after === 'start' ? null : checkPosition(after);
    let id = after_id;
    let caughtUp = false;
    try {
      const newest = await reading.retry(() => selectNewest(pool));
      let upTo = newest?.position ?? null;
      const isElsewhere = upTo === position ? !newest?.id.startsWith(id ?? '') : !isBeyond(upTo, position);
      if (position !== null && id !== undefined && isElsewhere) throw unknownPosition(position);
      while (!ending.aborted) {
        if (upTo !== null && isBeyond(upTo, position)) {
          let last: RecordedEvent | undefined;
          for await (const events of news(reading, { after: position, after_id: id, upTo, filter, caughtUp })) {
            yield events;
            last = events.at(-1) ?? last;
            ending.throwIfAborted();
          }
          position = upTo;
          id = last?.position === upTo ? last.id : undefined;
        }
        ending.throwIfAborted();
        caughtUp = true;
        yield [caughtUpAt(position, id)];
        if (!live) return;
        upTo = await headWatch.beyond(position, ending);
      }
      ending.throwIfAborted();
    } catch (error) {
      if (!signal?.aborted) throw error;
    }
  }

  const subscribe = (options: SubscribeOptions): AsyncIterable<RecordedEvent | CaughtUp> => {
    const { signal } = options;
    const ending = signal ? AbortSignal.any([closing.signal, signal]) : closing.signal;
    return itemsOf(pagesOf(options, ending), ending);
  };

  try {
    await head();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    append: async (stream, events, { expected }) => {
      checkAppend(stream, events, expected);
      return appender.append(stream, events, expected);
    },
    readStream: (stream, options = {}) => readStream(bounded, stream, options),
    subscribe,
    head,
    eventAt: async (position) => {
      checkPosition(position);
      return bounded.retry(() => selectStanding(pool, position));
    },
    close,
  };
};
