import type { ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import type { Logger } from 'pino';
import { Rejected } from '../../errors.ts';
import type { Position, RecordedEvent } from '../../events/event.ts';
import type { LogFence } from '../../ports/log-fence.ts';
import { waitForRetry } from '../../resilience/backoff.ts';
import type { Outage } from '../../resilience/outage.ts';
import { SETTING } from './address.ts';
import type { EventStoreClient } from './client.ts';
import { BACKOFF, type Connection, EndedEarly, ResponseTimeout } from './connection.ts';
import { createEventWindow, isBeyond, type News } from './event-window.ts';
import type { HighWaterMark } from './high-water-mark.ts';
import { bytesIn, eventIn, type ReadServer, takeAnswers } from './read.ts';
import { checkStillThere, PositionLost } from './read-all.ts';
import { subscribeRequest } from './read-request.ts';
import { toRecorded } from './row.ts';
import { createSilenceCheck } from './silence.ts';

/** Live readers are within milliseconds of each other; one that is further behind reads from the log itself. */
const CAPACITY = { events: 4000, bytes: 8 * 1024 * 1024 };
/** On a busy log readers get events in rounds: a round costs the same for one event and for many. */
const TELL_INTERVAL_MS = 10;

/** While nothing is known of other applications. */
const WITHOUT_SYSTEM = { pattern: '^[^$]' };

const isBehind = (error: unknown): error is Rejected => error instanceof Rejected && error.code === 'log-behind';

interface TailOptions {
  connection: Connection;
  /** For checking that the position to continue from still exists; retried without a limit. */
  reading: ReadServer;
  /** Compares the log with what is known to be in it; throws `log-behind` where it differs. */
  compare(): Promise<void>;
  head(): Promise<Position | null>;
  highest: HighWaterMark;
  fence: Pick<LogFence, 'saw'>;
  outage: Outage;
  logger: Logger;
  /** Milliseconds between checks that the subscription delivers the newest events. */
  watchInterval: number;
}

export interface Tail {
  /**
   * Resolves with the events after `after`, as soon as there are any. Null where the tail does not reach back that far:
   * read from the log then. Rejects with the reason of `signal` when that aborts, and where the log has lost events
   * that were read already.
   */
  news(after: Position | null, signal: AbortSignal): Promise<News | null>;
  /** Resolves when the subscription has ended. */
  close(): Promise<void>;
}

/**
 * The only subscription of this process, with the newest events, for all live readers: many subscriptions on one
 * connection would stall, and would read the same events.
 *
 *     subscribe after the last event kept -> events -> readers
 *           ^                                  |
 *           +-- pause <-- broken, ended, or not delivering while the log grows
 *
 * The client never subscribes again by itself. Neither its `caughtUp` nor its checkpoints are used, since they arrive
 * before the earlier events have been handled.
 */
export const createTail = (options: TailOptions): Tail => {
  const { connection, reading, compare, fence, head, highest, outage, logger, watchInterval } = options;
  const closing = new AbortController();
  const window = createEventWindow(CAPACITY);
  let changed = Promise.withResolvers<void>();
  let telling: NodeJS.Timeout | undefined;
  let told = 0;
  let following: Promise<void> | undefined;
  /** The id of the event at the window's end; undefined where it has not been received. */
  let endId: string | undefined;

  const tell = (): void => {
    telling = undefined;
    told = performance.now();
    changed.resolve();
    changed = Promise.withResolvers();
  };

  const keep = (event: RecordedEvent, bytes: number): void => {
    if (!window.add(event, bytes)) return;
    endId = event.id;
    highest.saw(event.position);
    fence.saw({ position: event.position, event_id: event.id, stream: event.stream });
    outage.ok();
    telling ??= setTimeout(tell, Math.max(0, told + TELL_INTERVAL_MS - performance.now()));
  };

  /** Detects a subscription that is connected but does not deliver. */
  const watch = (): { silent: AbortSignal; unwatch: () => void } => {
    const isSilent = createSilenceCheck();
    const silent = new AbortController();
    const look = async (): Promise<void> => {
      const newest = await head().catch(() => null);
      if (isSilent(newest, window.end())) silent.abort(new ResponseTimeout('the subscription'));
      // Not when it is confirmed: it may break then, each time.
      else if (newest !== null && !isBeyond(newest, window.end())) outage.ok();
    };
    const timer = setInterval(look, watchInterval);
    return { silent: silent.signal, unwatch: () => clearInterval(timer) };
  };

  /** Resolves where another subscription leaves out more of what is others'. Rejects when it ends for any other reason. */
  const subscribeOnce = async (client: EventStoreClient): Promise<void> => {
    closing.signal.throwIfAborted();
    const names = reading.strangers.names() ?? WITHOUT_SYSTEM;
    const isOutdated = (): boolean => (reading.strangers.names() ?? WITHOUT_SYSTEM).pattern !== names.pattern;
    const { silent, unwatch } = watch();
    const refused = new AbortController();
    // The server may have come back with another log: nothing is told before it was compared.
    let held: { event: RecordedEvent; bytes: number }[] | null = [];
    const tellHeld = (): void => {
      for (const { event, bytes } of held ?? []) keep(event, bytes);
      held = null;
    };
    const take = (answer: ReadResp): boolean => {
      if (answer.hasConfirmation()) compare().then(tellHeld, (error) => refused.abort(error));
      const event = eventIn(answer);
      if (!event) return false;
      const bytes = bytesIn(answer);
      const recorded = toRecorded(event);
      if (recorded && held) held.push({ event: recorded, bytes });
      else if (recorded) keep(recorded, bytes);
      return reading.strangers.saw(event.streamId, { bytes, isOurs: recorded !== null }) !== null && isOutdated();
    };
    const signal = AbortSignal.any([closing.signal, silent, refused.signal]);
    let isEnough = false;
    const takeUntil = (answer: ReadResp): boolean => {
      isEnough = take(answer);
      return isEnough;
    };
    try {
      const request = subscribeRequest(window.end() ?? 'start', names);
      await client.consume(request, (answers) => takeAnswers(answers, takeUntil, { signal, silence: null }));
    } finally {
      unwatch();
    }
    if (!isEnough) throw new EndedEarly('the subscription');
  };

  /** The log does not continue at the last position: rejects the readers and drops the kept events. */
  const lose = (error: Rejected): void => {
    // What the fence has found it has told itself.
    if (error instanceof PositionLost)
      logger.error(
        { err: error, setting: SETTING },
        'The log has lost its end: whoever has read further than it goes is stuck',
      );
    highest.forget();
    window.forget();
    changed.promise.catch(() => undefined);
    changed.reject(error);
    changed = Promise.withResolvers();
  };

  const follow = async (): Promise<void> => {
    for (let failures = 0; !closing.signal.aborted; failures++) {
      const before = window.end();
      try {
        if (before !== null) await checkStillThere(reading, before, endId);
        await connection.use(subscribeOnce);
        continue;
      } catch (error) {
        if (closing.signal.aborted) return;
        if (error instanceof PositionLost || isBehind(error)) return lose(error);
        outage.failed(error);
        if (error instanceof ResponseTimeout) {
          // The next subscription may break too: readers read the missing events from the log first, and continue from
          // there.
          window.forget();
          return tell();
        }
      }
      if (window.end() !== before) failures = 0;
      await waitForRetry(failures + 1, BACKOFF, closing.signal);
    }
  };

  const begin = (after: Position | null): void => {
    endId = undefined;
    window.begin(after);
    following = follow();
  };

  const change = async (signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    await Promise.race([changed.promise, aborted]).finally(() => signal.removeEventListener('abort', abort));
  };

  return {
    async news(after, signal) {
      // A subscription that starts while the tail is being closed would never be ended.
      closing.signal.throwIfAborted();
      signal.throwIfAborted();
      if (!window.hasBegun()) begin(after);
      while (true) {
        if (!window.reaches(after)) return null;
        const news = telling === undefined ? window.newsAfter(after) : null;
        if (news) return news;
        await change(signal);
      }
    },
    async close() {
      closing.abort();
      clearTimeout(telling);
      await following;
    },
  };
};
