import pTimeout from 'p-timeout';
import type { Logger } from 'pino';
import type { Position, RecordedEvent } from '../../events/event.ts';
import type { Clock } from '../../ports/clock.ts';
import type { CaughtUp, Log, SubscribeOptions } from '../../ports/log.ts';
import type { LogFence } from '../../ports/log-fence.ts';
import { createOutage, createSharedOutage, type SharedOutage } from '../../resilience/outage.ts';
import { checkAppend } from '../append-check.ts';
import { caughtUpAt } from '../caught-up.ts';
import { filtered } from '../log-filter.ts';
import { itemsOf } from '../page-items.ts';
import { parseAddress, SETTING } from './address.ts';
import { createAppender } from './append.ts';
import { openClient } from './client.ts';
import { createConnection, eventStoreOutage, logClosed, retryWith } from './connection.ts';
import { diagnose } from './diagnosis.ts';
import { createHighWaterMark } from './high-water-mark.ts';
import { confirmAccess, type ReadServer } from './read.ts';
import { createHeadFinder, eventAt, readAll } from './read-all.ts';
import { namesIn } from './read-request.ts';
import { readStream } from './read-stream.ts';
import { checkPosition } from './row.ts';
import { createStrangers } from './strangers.ts';
import { createTail } from './tail.ts';

export interface EventStoreLogOptions {
  /** The connection string, see `createEventStoreLog`. */
  url: string;
  logger: Logger;
  clock?: Clock;
  /** Compares the log with what is known to be in it whenever a connection is made. Default: nothing is known. */
  fence?: LogFence;
  /** Prefixes of all our streams. Where they are known, the server leaves out the streams of others that are large. */
  streamPrefixes?: readonly string[];
  /** Milliseconds for which an append or a read is retried while the server cannot be reached. */
  timeout?: number;
  /** Milliseconds after which an append without an answer is retried; more than the server's own limits (2 s). */
  attemptTimeout?: number;
  /** Milliseconds without any answer after which a read is begun anew. */
  silence?: number;
  /** Milliseconds for which opening the log is retried. */
  openTimeout?: number;
  /** Milliseconds between checks that the subscription delivers the newest events. */
  watchInterval?: number;
}

const UNFENCED: LogFence = { saw: () => undefined, check: async () => undefined, assertOpen: () => undefined };

/**
 * The log in EventStoreDB (22.6 or later, which tells positions when a stream is read), one server or a cluster. `url`:
 *
 *     esdb://host:2113?tls=false                       one server, without TLS; user and password cannot be used then
 *     esdb://user:password@host:2113?tlsCAFile=ca.pem  one server over TLS, with tlsCAFile for a private authority
 *     esdb+discover://user:password@a:2113,b:2113,c:2113   a cluster, whose nodes name the leader
 *     esdb+discover://user:password@cluster.dns:2113   a cluster behind one DNS name
 *
 * `kurrentdb` and `kdb`, the server's newer name, stand for `esdb`. Special characters of user and password are percent-encoded. The user must be allowed to read `$all`.
 *
 * Differences from the log in Postgres: a repeated append is recognised by its expected revision of the first time, or
 * with `any` and `exists` by searching its own stream; ids in other streams are not compared. `at` is the time of the
 * process that appends. Events in the same database that are not BudApp's are skipped.
 *
 * Throws `SystemUnusable` where the server cannot be used.
 */
export const createEventStoreLog = async (options: EventStoreLogOptions): Promise<Log> => {
  const { url, logger, clock = () => new Date().toISOString(), fence = UNFENCED } = options;
  const { timeout = 10_000, attemptTimeout = 4_000, silence = 10_000 } = options;
  const { openTimeout = 3_000, watchInterval = 5_000 } = options;
  const settings = parseAddress(url);
  const closing = new AbortController();
  // Two connections, so that long reads, and closing a client after a failed read, do not delay appends.
  const writing = createConnection(() => openClient(settings));
  const connection = createConnection(() => openClient(settings));

  const strangers = createStrangers(options.streamPrefixes);
  const readServer = (signal: AbortSignal, outage: SharedOutage | undefined, giveUpAfter?: number): ReadServer => {
    const retry = retryWith({ signal, outage, ...(giveUpAfter === undefined ? {} : { giveUpAfter }) });
    return { connection, retry, signal, silence, strangers, compare: () => compare() };
  };
  const readOutage = createSharedOutage(eventStoreOutage({ logger, what: 'the log cannot be read' }));
  const bounded = readServer(closing.signal, readOutage, timeout);
  const eventAtPosition = async (position: Position) => eventAt(bounded, checkPosition(position));
  const compare = (): Promise<void> => fence.check({ eventAt: eventAtPosition });
  const highest = createHighWaterMark();
  const head = createHeadFinder(bounded);
  const appender = createAppender({
    connection: writing,
    reading: bounded,
    highest,
    fence,
    compare,
    outage: createOutage(eventStoreOutage({ logger, what: 'the log takes no appends' })),
    clock,
    timeout,
    attemptTimeout,
  });
  const tail = createTail({
    connection,
    reading: readServer(closing.signal, readOutage),
    compare,
    head,
    highest,
    fence,
    outage: createOutage(eventStoreOutage({ logger, what: 'the subscription to the log is lost' })),
    logger,
    watchInterval,
  });

  const close = async (): Promise<void> => {
    if (closing.signal.aborted) return;
    await appender.close();
    closing.abort(logClosed());
    await tail.close();
    await Promise.all([writing.close(), connection.close()]);
  };

  async function* pagesOf(
    { after, after_id, filter, live, signal }: SubscribeOptions,
    ending: AbortSignal,
  ): AsyncGenerator<readonly (RecordedEvent | CaughtUp)[], void> {
    // A live reader waits for the server without a limit.
    const reading = readServer(ending, readOutage, live ? undefined : timeout);
    const newest = live ? createHeadFinder(reading) : head;
    let position: Position | null = after === 'start' ? null : checkPosition(after);
    let id = after_id;
    try {
      // There is no event yet that would show that this is the same log.
      if (position === null) await compare();
      while (!ending.aborted) {
        const upTo = await newest();
        for await (const events of readAll(reading, { after: position, after_id: id, upTo, names: namesIn(filter) })) {
          const last = events.at(-1);
          if (last) [position, id] = [last.position, last.id];
          yield filtered(events, filter);
          ending.throwIfAborted();
        }
        if (upTo !== null && (position === null || upTo > position)) [position, id] = [upTo, undefined];
        yield [caughtUpAt(position, id)];
        if (!live) return;
        // From here on the reader shares the tail with all other live readers, until it falls behind.
        for (let news = await tail.news(position, ending); news; news = await tail.news(position, ending)) {
          [position, id] = [news.upTo, news.events.at(-1)?.id];
          yield [...filtered(news.events, filter), caughtUpAt(position, id)];
          ending.throwIfAborted();
        }
      }
      ending.throwIfAborted();
    } catch (error) {
      if (!signal?.aborted) throw error;
    }
  }

  const subscribe = (subscription: SubscribeOptions): AsyncIterable<RecordedEvent | CaughtUp> => {
    const { signal } = subscription;
    const ending = signal ? AbortSignal.any([closing.signal, signal]) : closing.signal;
    return itemsOf(pagesOf(subscription, ending), ending);
  };

  try {
    const opening = readServer(closing.signal, undefined, openTimeout);
    await confirmAccess({ ...opening, silence: openTimeout });
    // The newest event may be large and the link slow: it may take longer than a server that does not answer at all.
    highest.saw(await createHeadFinder(opening)());
  } catch (error) {
    await close();
    throw await diagnose(settings, error);
  }
  const asked = writing.use((client) => client.serverVersion()).catch(() => 'unknown');
  const version = await pTimeout(asked, { milliseconds: openTimeout, fallback: () => 'unknown' });
  logger.info({ setting: SETTING, version }, `the log is in EventStoreDB, version ${version}`);
  if (settings.credentials && settings.channel.insecure)
    logger.warn({ setting: SETTING }, `${SETTING} has a user and a password, which are not sent without TLS`);
  return {
    append: async (stream, events, { expected }) => {
      checkAppend(stream, events, expected);
      return appender.append(stream, events, expected);
    },
    readStream: (stream, range = {}) => readStream(bounded, stream, range),
    subscribe,
    head,
    eventAt: eventAtPosition,
    close,
  };
};
