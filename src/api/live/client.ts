import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Rejected } from '../../errors.ts';
import type { Position } from '../../events/event.ts';
import type { Log } from '../../ports/log.ts';
import type { Throttle } from '../../resilience/throttle.ts';
import type { ApiCaller, Callers } from '../callers/caller.ts';
import type { Member } from './audience.ts';
import { type Batch, type Encoding, emptyBatch } from './batch.ts';
import { createCork } from './cork.ts';
import type { Frame } from './frame.ts';
import { createFrameOrder } from './frame-order.ts';
import type { Hub } from './hub.ts';
import { progressText, resetText } from './notice.ts';
import { isWanted, replayFilter, type SubscriptionQuery, startingPoint } from './subscription.ts';
import type { Viewer } from './viewer.ts';
import type { Viewers } from './viewers.ts';

/** Why a stream ends; the transport maps it to its own codes. */
export type Ending = 'too-slow' | 'token-expired' | 'access-lost' | 'server-error' | 'going-away';

/** Sends frames to a client, over WebSocket or as server-sent events. */
export interface Transport {
  encoding: Encoding;
  /** Writes whole frames in the transport's encoding. The bytes are shared with other clients. */
  write(bytes: Buffer): void;
  /** Sends a heartbeat, which keeps the connection open through proxies. */
  beat(): void;
  /** Bytes that were sent and that the client has not received yet. */
  buffered(): number;
  /** What was written before is sent first, as far as the client takes it within `grace_ms`. */
  end(ending: Ending, options: { grace_ms: number }): void;
}

export interface LiveOptions {
  hub: Hub;
  log: Log;
  callers: Pick<Callers, 'fromToken'>;
  viewers: Viewers;
  logger: Logger;
  /** An outage ends all streams at once; the throttle logs one line for all of them. */
  throttled: Throttle;
}

export interface ClientOptions extends LiveOptions {
  transport: Transport;
  caller: ApiCaller;
  /** Verified again with each heartbeat. */
  token: string;
  query: SubscriptionQuery;
  /**
   * The log's head before the client could know that its stream is open: events that the client causes afterwards come
   * after it.
   */
  head: Position | null;
}

/** More than this is not kept for a client that does not read; together with one batch it bounds its memory. */
const MAX_BUFFERED_BYTES = 1024 * 1024;
const PAUSE_BYTES = 256 * 1024;
const PAUSE_MS = 10;
/** A client that receives nothing for this long during the replay is disconnected as too slow. */
const MAX_PAUSE_MS = 30_000;
/** Frames of a replay are written together up to this size. */
const REPLAY_BATCH = 64 * 1024;
/** A replay that finds nothing for this long says that it goes on. */
const PROGRESS_MS = 2000;
const MAX_WAITING_FRAMES = 10_000;
const HEARTBEAT_MS = 15_000;
/** How long a client that was too slow may take for what has been sent, the reset at its end. */
const SLOW_GRACE_MS = 10_000;
const GRACE_MS = 1000;
/** The maximum delay of a timer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

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

/**
 * Serves one client: sends the events after its position from the log, then those that arrived meanwhile, then those that
 * all clients of the same user and filter get. Returns the function that stops it.
 */
export const serveClient = (options: ClientOptions): (() => void) => {
  const { hub, callers, viewers, logger, throttled, transport, caller, query, token, head } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const { after, reset } = startingPoint(query.from, head);
  const order = createFrameOrder<Frame>({ after, max_waiting: MAX_WAITING_FRAMES });
  /** The client has all that is for it up to here. */
  let sentTo: Position | null = after === 'start' ? null : after;
  let pending: Batch = emptyBatch();
  let wroteAt = performance.now();
  let leave = (): void => undefined;

  const stop = (): void => {
    if (signal.aborted) return;
    stopping.abort();
    leave();
    cork.stop();
    clearInterval(heartbeat);
    clearTimeout(expiry);
  };

  const end = (ending: Ending): void => {
    if (signal.aborted) return;
    stop();
    if (ending === 'too-slow') transport.write(transport.encoding.encode(resetText(TOO_SLOW, sentTo), null));
    transport.end(ending, { grace_ms: ending === 'too-slow' ? SLOW_GRACE_MS : GRACE_MS });
  };

  const fail = (error: unknown): void => {
    if (signal.aborted) return;
    const ending = endingOf(error);
    if (ending === null)
      throttled(() => logger.warn({ err: error }, 'live streams broke: clients go on from their last position'));
    end(ending ?? 'server-error');
  };

  const write = (batch: Batch): void => {
    if (batch.last === null || signal.aborted) return;
    transport.write(batch.bytes(transport.encoding));
    sentTo = batch.last.position;
    wroteAt = performance.now();
  };

  const flush = (): void => {
    write(pending);
    pending = emptyBatch();
  };
  const cork = createCork(flush);

  /** Waits until the client has received enough, so that a long replay is as fast as the client. */
  const room = async (): Promise<void> => {
    const start = performance.now();
    while (!signal.aborted && transport.buffered() > PAUSE_BYTES) {
      if (performance.now() - start > MAX_PAUSE_MS) return end('too-slow');
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };

  const send = async (frame: Frame): Promise<void> => {
    pending = pending.with(frame);
    cork.pull();
    if (pending.size < REPLAY_BATCH) return;
    flush();
    // The others have their turn, too.
    await nextTurn();
    await room();
  };

  /** Says now and then that the replay goes on, where it finds nothing. */
  const tellProgress = (scanned: () => Position | null): (() => void) => {
    const timer = setInterval(() => {
      if (signal.aborted || performance.now() - wroteAt < PROGRESS_MS || transport.buffered() > 0) return;
      flush();
      const position = scanned() ?? sentTo;
      transport.write(transport.encoding.encode(progressText(position), position));
      sentTo = position;
      wroteAt = performance.now();
    }, PROGRESS_MS / 2);
    return () => clearInterval(timer);
  };

  /** Up to where the viewer is: later frames come from it, checked with the access of their time. */
  const replay = async (viewer: Viewer, from: Position | 'start'): Promise<void> => {
    const upTo = viewer.asOf();
    if (upTo === null || !isAfter(upTo, from)) return;
    const range = { after: from, filter: replayFilter(viewer.caller(), query), tenant_id: caller.tenant_id, signal };
    let scanned: Position | null = null;
    const endProgress = tellProgress(() => scanned);
    try {
      for await (const item of hub.replay(range)) {
        const position = 'frame' in item ? item.frame.position : item.read_to;
        if (signal.aborted || position === null || position > upTo) break;
        if ('frame' in item) {
          const shown = viewer.shows(item.frame);
          if (shown && isWanted(query, item.frame, shown)) await send(item.frame);
        }
        scanned = position;
      }
    } finally {
      endProgress();
    }
    order.sent({ position: upTo });
  };

  const take = (batch: Batch): void => {
    // The batches before this one had time to go out.
    if (transport.buffered() > MAX_BUFFERED_BYTES) end('too-slow');
    else write(batch);
  };

  const member: Member = {
    // The first frame that is new for the client is also the first of its batches.
    arrived: (frame) => order.arrived(frame) && order.isNew(frame),
    take,
    failed: fail,
  };

  const catchUp = async (viewer: Viewer): Promise<void> => {
    for (let step = order.next(); step !== 'live'; step = order.next()) {
      if (signal.aborted) return;
      if ('replay_after' in step) await replay(viewer, step.replay_after);
      else if (order.isNew(step.send)) {
        order.sent(step.send);
        await send(step.send);
      }
    }
    flush();
  };

  const begin = async (): Promise<void> => {
    if (reset !== null) {
      const reason = { code: 'cannot-continue', message: reset } as const;
      transport.write(transport.encoding.encode(resetText(reason, head), null));
    }
    const { viewer, release } = await viewers.open(caller);
    if (signal.aborted) return release();
    const audience = viewer.audience(query);
    audience.join(member);
    leave = () => {
      audience.leave(member);
      release();
    };
    hub.reach(head);
    await catchUp(viewer);
  };

  const heartbeat = setInterval(() => {
    transport.beat();
    // Notices that the user was disabled or the token revoked.
    callers.fromToken(token).catch(fail);
  }, HEARTBEAT_MS);
  const left = Math.min(Math.max(0, caller.expires_at * 1000 - Date.now()), MAX_TIMER_MS);
  const expiry = setTimeout(() => end('token-expired'), left);
  begin().catch(fail);
  return stop;
};
