import type { Logger } from 'pino';
import { Rejected } from '../../errors.ts';
import type { Position } from '../../events/event.ts';
import type { Log } from '../../ports/log.ts';
import type { Throttle } from '../../resilience/throttle.ts';
import type { ApiCaller, Callers } from '../callers/caller.ts';
import type { Frame } from './frame.ts';
import { createFrameOrder } from './frame-order.ts';
import type { Hub } from './hub.ts';
import { isWanted, maySeeFrame, type SubscriptionQuery, startingPoint } from './subscription.ts';

/** Why a stream ends; the transport maps it to its own codes. */
export type Ending = 'too-slow' | 'token-expired' | 'access-lost' | 'server-error' | 'going-away';

/** Sends frames to a client, over WebSocket or as server-sent events. */
export interface Transport {
  send(text: string, position: Position | null): void;
  /** Sends a heartbeat, which keeps the connection open through proxies. */
  beat(): void;
  /** Bytes that were sent and that the client has not received yet. */
  buffered(): number;
  end(ending: Ending): void;
}

export interface LiveOptions {
  hub: Hub;
  log: Log;
  callers: Callers;
  logger: Logger;
  /** An outage ends all streams at once; the throttle logs one line for all of them. */
  throttled: Throttle;
}

export interface ClientOptions extends LiveOptions {
  transport: Transport;
  caller: ApiCaller;
  /** Verified again whenever permissions are looked up again. */
  token: string;
  query: SubscriptionQuery;
  /**
   * The log's head before the client could know that its stream is open: events that the client causes afterwards come
   * after it.
   */
  head: Position | null;
}

const MAX_BUFFERED_BYTES = 1024 * 1024;
const PAUSE_BYTES = 256 * 1024;
const PAUSE_MS = 10;
/** A client that receives nothing for this long during the replay is disconnected as too slow. */
const MAX_PAUSE_MS = 30_000;
const MAX_WAITING_FRAMES = 10_000;
const HEARTBEAT_MS = 15_000;
/** The maximum delay of a timer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Tells a client that its position cannot be continued: it has to read its data again. */
const resetText = (why: string, position: Position | null): string =>
  JSON.stringify({
    specversion: '1.0',
    id: crypto.randomUUID(),
    source: '/budapp/stream',
    type: 'bud.stream.reset',
    time: new Date().toISOString(),
    data: { reason: { code: 'cannot-continue', message: why }, position },
  });

/** Null for an error of the server. */
const endingOf = (error: unknown): Ending | null => {
  if (!(error instanceof Rejected) || (error.kind !== 'unauthenticated' && error.kind !== 'forbidden')) return null;
  return error.code === 'expired-token' ? 'token-expired' : 'access-lost';
};

/**
 * Serves one client: listens, sends the events after its position from the log, then those that arrived meanwhile, then
 * live ones. Returns the function that stops it.
 */
export const serveClient = (options: ClientOptions): (() => void) => {
  const { hub, callers, logger, throttled, transport, query, token, head } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const { after, reset } = startingPoint(query.from, head);
  const order = createFrameOrder<Frame>({ after, max_waiting: MAX_WAITING_FRAMES });
  let { caller } = options;
  let work: Promise<void> = Promise.resolve();

  const stop = (): void => {
    if (signal.aborted) return;
    stopping.abort();
    unlisten();
    clearInterval(heartbeat);
    clearTimeout(expiry);
  };

  const end = (ending: Ending): void => {
    if (signal.aborted) return;
    stop();
    transport.end(ending);
  };

  const refreshAccess = async (position: Position | null): Promise<void> => {
    callers.accessChanged(caller.user_id, position);
    caller = await callers.fromToken(token);
  };

  const send = async (frame: Frame): Promise<void> => {
    if (signal.aborted || !order.isNew(frame)) return;
    if (frame.concerns.includes(caller.user_id)) await refreshAccess(frame.position);
    order.sent(frame);
    if (!isWanted(query, frame) || !maySeeFrame(caller, frame)) return;
    transport.send(frame.text, frame.position);
    if (order.isLive() && transport.buffered() > MAX_BUFFERED_BYTES) end('too-slow');
  };

  /** Waits until the client has received enough, so that a long replay is as fast as the client. */
  const room = async (): Promise<void> => {
    const start = Date.now();
    while (!signal.aborted && transport.buffered() > PAUSE_BYTES) {
      if (Date.now() - start > MAX_PAUSE_MS) return end('too-slow');
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };

  const replay = async (after: Position | 'start'): Promise<void> => {
    for await (const item of hub.replay(after, signal)) {
      if ('frame' in item) {
        await send(item.frame);
        await room();
      }
      if (signal.aborted) return;
    }
  };

  const fail = (error: unknown): void => {
    if (signal.aborted) return;
    const ending = endingOf(error);
    if (ending === null)
      throttled(() => logger.warn({ err: error }, 'live streams broke: clients go on from their last position'));
    end(ending ?? 'server-error');
  };

  const begin = async (): Promise<void> => {
    if (reset !== null) transport.send(resetText(reset, head), null);
    for (let step = order.next(); step !== 'live' && !signal.aborted; step = order.next()) {
      if ('send' in step) await send(step.send);
      else await replay(step.replay_after);
    }
  };

  const unlisten = hub.listen((frame) => {
    if (order.arrived(frame)) work = work.then(() => send(frame)).catch(fail);
  });
  const heartbeat = setInterval(() => {
    transport.beat();
    // Also notices that the user was disabled or the token revoked.
    if (order.isLive()) work = work.then(() => refreshAccess(null)).catch(fail);
  }, HEARTBEAT_MS);
  const left = Math.min(Math.max(0, caller.expires_at * 1000 - Date.now()), MAX_TIMER_MS);
  const expiry = setTimeout(() => end('token-expired'), left);
  work = begin().catch(fail);
  return stop;
};
