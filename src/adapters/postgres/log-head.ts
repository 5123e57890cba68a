import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { unknownPosition } from '../../errors.ts';
import type { Position } from '../../events/event.ts';
import { logClosed, retryWith } from './connection.ts';
import { createHeadNews, isBeyond } from './head-news.ts';
import { LOG_CHANNEL, parsePosition, selectHead } from './log-row.ts';

export interface HeadWatch {
  /**
   * Resolves with the log's head as soon as it is beyond `position`; null once `signal` aborts; throws where the watch
   * is closed.
   */
  beyond(position: Position | null, signal: AbortSignal): Promise<Position | null>;
  /** Releases the listening connection, and rejects waiting readers with `log-closed`. */
  close(): Promise<void>;
}

interface HeadWatchOptions {
  pool: Pool;
  /** Milliseconds between polls while no notification arrives. */
  pollInterval: number;
  /** Called where the log ends before a head that it had. */
  onLost(): void;
}

interface Waiter {
  position: Position | null;
  resolve: (head: Position) => void;
  reject: (error: unknown) => void;
}

/**
 * Notifies every live reader of a log of new events. One connection listens for all of them, and one poll runs while
 * there are waiting readers. A notification only saves waiting for the next poll; none is relied upon.
 */
export const createHeadWatch = ({ pool, pollInterval, onLost }: HeadWatchOptions): HeadWatch => {
  const waiters = new Set<Waiter>();
  const closing = new AbortController();
  const { signal: closed } = closing;
  const news = createHeadNews();
  let telling: NodeJS.Timeout | undefined;
  let listening: Promise<void> | undefined;
  let polling: Promise<void> | undefined;

  const tell = (): void => {
    telling = undefined;
    const newest = news.newest();
    if (newest === null) return;
    news.told(performance.now());
    for (const waiter of waiters) if (isBeyond(newest, waiter.position)) waiter.resolve(newest);
  };

  const seen = (head: Position | null): void => {
    const pause = news.seen(head, performance.now());
    if (pause === null) return;
    if (pause <= 0) tell();
    else telling ??= setTimeout(tell, pause);
  };

  const failAll = (error: unknown): void => {
    for (const waiter of waiters) waiter.reject(error);
  };

  const look = async (): Promise<void> => {
    const before = news.newest();
    const head = await selectHead(pool);
    if (before === null || !isBeyond(before, head)) return seen(head);
    // Another server has taken over that had not got the newest transactions.
    news.forget();
    onLost();
    failAll(unknownPosition(before));
  };

  const poll = async (): Promise<void> => {
    try {
      while (waiters.size > 0) {
        await retryWith({ signal: closed })(look);
        await delay(pollInterval * (0.9 + Math.random() / 5), undefined, { signal: closed });
      }
    } catch (error) {
      failAll(closed.aborted ? logClosed() : error);
    } finally {
      polling = undefined;
    }
  };

  const listenUntilLost = async (): Promise<void> => {
    const client = await pool.connect();
    try {
      closed.throwIfAborted();
      const { promise: lost, reject } = Promise.withResolvers<never>();
      client.on('error', reject);
      client.on('end', () => reject(new Error('The listening connection has ended.')));
      closed.addEventListener('abort', () => reject(closed.reason), { once: true });
      client.on('notification', ({ payload }) => seen(parsePosition(payload)));
      await Promise.race([client.query(`listen ${LOG_CHANNEL}`), lost]);
      // Events from before the connection listened were not announced.
      await Promise.race([look(), lost]);
      await lost;
    } finally {
      client.release(true);
    }
  };

  // Not reported: without a listener the poll alone continues, some milliseconds later.
  const listen = (): Promise<void> => retryWith({ signal: closed })(listenUntilLost).catch(() => undefined);

  const wait = (position: Position | null, signal: AbortSignal): Promise<Position | null> => {
    const { promise, resolve, reject } = Promise.withResolvers<Position | null>();
    const waiter: Waiter = { position, resolve, reject };
    const abort = (): void => resolve(null);
    signal.addEventListener('abort', abort, { once: true });
    waiters.add(waiter);
    listening ??= listen();
    polling ??= poll();
    return promise.finally(() => {
      waiters.delete(waiter);
      signal.removeEventListener('abort', abort);
    });
  };

  return {
    beyond: async (position, signal) => {
      if (closed.aborted) throw logClosed();
      if (signal.aborted) return null;
      const newest = news.newest();
      return telling === undefined && isBeyond(newest, position) ? newest : wait(position, signal);
    },
    close: async () => {
      closing.abort();
      clearTimeout(telling);
      failAll(logClosed());
      await Promise.all([listening, polling]);
    },
  };
};
