import type { Logger } from 'pino';
import { Rejected } from '../../errors.ts';
import type { Position } from '../../events/event.ts';
import type { Log } from '../../ports/log.ts';
import { type BackoffPolicy, waitForRetry } from '../../resilience/backoff.ts';
import type { Throttle } from '../../resilience/throttle.ts';
import type { ApiCaller, Callers } from '../callers/caller.ts';
import { passes } from '../http/problem.ts';
import type { Member } from './audience.ts';
import type { Batch } from './batch.ts';
import type { Frame } from './frame.ts';
import { createFrameOrder, type FrameOrder } from './frame-order.ts';
import type { Hub } from './hub.ts';
import { resetText } from './notice.ts';
import type { OpenedAt } from './opened-at.ts';
import { createOutput, type Ending, type Transport } from './output.ts';
import { isWanted, replayFilter, type SubscriptionQuery, startingPoint } from './subscription.ts';
import type { Viewer } from './viewer.ts';
import type { Viewers } from './viewers.ts';

export interface LiveOptions {
  hub: Hub;
  log: Log;
  callers: Pick<Callers, 'fromToken'>;
  viewers: Viewers;
  logger: Logger;
  /** An outage concerns all streams at once; the throttle logs one line for all of them. */
  throttled: Throttle;
}

export interface ClientOptions extends LiveOptions {
  transport: Transport;
  caller: ApiCaller;
  /** Verified again with each heartbeat. */
  token: string;
  query: SubscriptionQuery;
  opened: OpenedAt;
}

/** More than this is not kept for a client that does not read; together with one batch it bounds its memory. */
const MAX_BUFFERED_BYTES = 1024 * 1024;
const MAX_WAITING_FRAMES = 10_000;
const HEARTBEAT_MS = 15_000;
/** How long a client that was too slow may take for what has been sent, the reset at its end. */
const SLOW_GRACE_MS = 10_000;
const GRACE_MS = 1000;
/** The maximum delay of a timer. */
const MAX_TIMER_MS = 2 ** 31 - 1;
const BACKOFF: BackoffPolicy = { first_ms: 100, longest_ms: 2000 };
/** A stream that waits for longer is ended plainly: perhaps another process has what this one waits for. */
const MAX_OUTAGE_MS = 60_000;

const TOO_SLOW = {
  code: 'too-slow',
  message: 'The client did not read what was sent. It gets everything else when it connects again from this position.',
} as const;

/** Null for an error of the server. */
const endingOf = (error: unknown): Ending | null => {
  if (!(error instanceof Rejected) || (error.kind !== 'unauthenticated' && error.kind !== 'forbidden')) return null;
  return error.code === 'expired-token' ? 'token-expired' : 'access-lost';
};

const isAfter = (position: Position | null, other: Position | 'start'): boolean =>
  position !== null && (other === 'start' || position > other);

/** One attempt to follow the log. */
interface Following {
  viewer: Viewer;
  order: FrameOrder<Frame>;
  /** Aborted once the attempt is over. */
  signal: AbortSignal;
}

/**
 * Serves one client: sends the events after its position from the log, then those that arrived meanwhile, then those that
 * all clients of the same user and filter get. Returns the function that stops it.
 *
 *     opened -> replaying -> live -> ended
 *        ^          |         |
 *        +----------+---------+ what it needs is away: waits, and goes on from what was sent last
 */
export const serveClient = (options: ClientOptions): (() => void) => {
  const { hub, log, callers, viewers, logger, throttled, transport, caller, query, token, opened } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const output = createOutput({ transport, signal, onTooSlow: () => end('too-slow') });
  let leave = (): void => undefined;
  /** Since when it waits; null while it does not. */
  let waitingSince: number | null = null;

  const stop = (): void => {
    if (signal.aborted) return;
    stopping.abort();
    leave();
    output.close();
    clearInterval(heartbeat);
    clearTimeout(expiry);
  };

  const end = (ending: Ending): void => {
    if (signal.aborted) return;
    stop();
    if (ending === 'too-slow') output.tell(resetText(TOO_SLOW, output.sentTo()));
    transport.end(ending, { grace_ms: ending === 'too-slow' ? SLOW_GRACE_MS : GRACE_MS });
  };

  const fail = (error: unknown): void => {
    if (signal.aborted) return;
    const ending = endingOf(error);
    if (ending === null)
      throttled(() => logger.warn({ err: error }, 'live streams broke: clients go on from their last position'));
    end(ending ?? 'server-error');
  };

  /** False where the stream has ended. */
  const staysOpen = (error: unknown): boolean => {
    if (signal.aborted) return false;
    if (!passes(error)) fail(error);
    else {
      throttled(() => logger.warn({ err: error }, 'live streams wait: they stay open, and go on where they are'));
      waitingSince ??= performance.now();
      if (performance.now() - waitingSince > MAX_OUTAGE_MS) end('unavailable');
      else transport.beat();
    }
    return !signal.aborted;
  };

  /** Up to where the viewer is: later frames come from it, checked with the access of their time. */
  const replay = async ({ viewer, order, signal: during }: Following, from: Position | 'start'): Promise<void> => {
    const upTo = viewer.asOf();
    if (upTo === null || !isAfter(upTo, from)) return;
    const filter = replayFilter(viewer.caller(), query);
    let scanned: Position | null = null;
    const endProgress = output.tellProgress(() => scanned);
    try {
      for await (const item of hub.replay({ after: from, filter, tenant_id: caller.tenant_id, signal: during })) {
        const position = 'frame' in item ? item.frame.position : item.read_to;
        if (during.aborted || position === null || position > upTo) break;
        if ('frame' in item) {
          const shown = viewer.shows(item.frame);
          if (shown && isWanted(query, item.frame, shown)) await output.send(item.frame);
        }
        scanned = position;
      }
    } finally {
      endProgress();
    }
    order.sent({ position: upTo });
  };

  const catchUp = async (following: Following): Promise<void> => {
    const { order, signal: during } = following;
    for (let step = order.next(); step !== 'live'; step = order.next()) {
      if (during.aborted) return;
      if ('replay_after' in step) await replay(following, step.replay_after);
      else if (order.isNew(step.send)) {
        order.sent(step.send);
        await output.send(step.send);
      }
    }
    output.flush();
    waitingSince = null;
  };

  const take = (batch: Batch): void => {
    // The batches before this one had time to go out.
    if (transport.buffered() > MAX_BUFFERED_BYTES) end('too-slow');
    else output.write(batch);
  };

  /** Follows the log until it throws, since something is away. */
  const follow = async (after: Position | 'start'): Promise<void> => {
    const order = createFrameOrder<Frame>({ after, max_waiting: MAX_WAITING_FRAMES });
    const { viewer, release } = await viewers.open(caller);
    if (signal.aborted) return release();
    const over = new AbortController();
    const failing = Promise.withResolvers<never>();
    // It may fail while nobody waits for it.
    failing.promise.catch(() => undefined);
    const member: Member = {
      // The first frame that is new for the client is also the first of its batches.
      arrived: (frame) => order.arrived(frame) && order.isNew(frame),
      take,
      failed: failing.reject,
    };
    const audience = viewer.audience(query);
    audience.join(member);
    leave = () => {
      leave = () => undefined;
      over.abort();
      audience.leave(member);
      release();
    };
    try {
      const following = { viewer, order, signal: AbortSignal.any([signal, over.signal]) };
      await Promise.race([catchUp(following), failing.promise]);
      await failing.promise;
    } finally {
      leave();
      output.flush();
    }
  };

  /** Where the client begins, as soon as the log can tell. */
  const findStart = async (): Promise<Position | 'start'> => {
    const head = 'head' in opened ? opened.head : await log.head();
    const isFromNow = query.from === undefined || query.from === 'now';
    const now = 'seen' in opened && isFromNow ? opened.seen : head;
    const { after, reset } = await startingPoint(log, query.from, now);
    if (reset !== null) output.tell(resetText({ code: 'cannot-continue', message: reset }, head));
    output.startAt(after === 'start' ? null : after);
    hub.reach(head);
    return after;
  };

  const serve = async (): Promise<void> => {
    let start: Position | 'start' | null = null;
    for (let failures = 1; !signal.aborted; failures += 1) {
      try {
        start ??= await findStart();
        await follow(output.sentTo() ?? start);
      } catch (error) {
        if (waitingSince === null) failures = 1;
        if (!staysOpen(error)) return;
      }
      await waitForRetry(failures, BACKOFF, signal);
    }
  };

  const heartbeat = setInterval(() => {
    transport.beat();
    // Notices that the user was disabled or the token revoked.
    callers.fromToken(token).catch((error: unknown) => {
      if (!passes(error)) fail(error);
    });
  }, HEARTBEAT_MS);
  const left = Math.min(Math.max(0, caller.expires_at * 1000 - Date.now()), MAX_TIMER_MS);
  const expiry = setTimeout(() => end('token-expired'), left);
  void serve();
  return stop;
};
