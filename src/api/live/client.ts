import type { Logger } from 'pino';
import { Rejected } from '../../errors.ts';
import { ofOneForm, type Position } from '../../events/event.ts';
import type { Log } from '../../ports/log.ts';
import type { Throttle } from '../../resilience/throttle.ts';
import type { ApiCaller, Callers } from '../callers/caller.ts';
import type { Frame } from './frame.ts';
import type { Hub } from './hub.ts';
import { isWanted, maySeeFrame, type SubscriptionQuery } from './subscription.ts';

/** Why a stream ends, in words that the transport turns into its own codes. */
export type Ending = 'too-slow' | 'token-expired' | 'access-lost' | 'server-error' | 'going-away';

/** How frames get to a client: over WebSocket, or as server-sent events. */
export interface Transport {
  send(text: string, position: Position | null): void;
  /** Keeps the connection open through proxies, and shows the client that it is. */
  beat(): void;
  /** Bytes that were sent and not yet taken. */
  buffered(): number;
  end(ending: Ending): void;
}

export interface LiveOptions {
  hub: Hub;
  log: Log;
  callers: Callers;
  logger: Logger;
  /** An outage ends all streams at once: one line speaks for all of them. */
  throttled: Throttle;
}

export interface ClientOptions extends LiveOptions {
  transport: Transport;
  caller: ApiCaller;
  /** Shown again whenever permissions are looked up again. */
  token: string;
  query: SubscriptionQuery;
  /** Where the log ended before the client could know that its stream is open: what it writes once it is comes after. */
  head: Position | null;
}

const MAX_BUFFERED_BYTES = 1024 * 1024;
const PAUSE_BYTES = 256 * 1024;
const PAUSE_MS = 10;
/** A client that takes nothing for so long while it is sent the history is as slow as one that is too far behind. */
const MAX_PAUSE_MS = 30_000;
const MAX_WAITING_FRAMES = 10_000;
const HEARTBEAT_MS = 15_000;
/** The longest that a timer can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Tells a client that what it saw cannot be continued: it has to read anew what it shows. */
const resetText = (why: string, position: Position | null): string =>
  JSON.stringify({
    specversion: '1.0',
    id: crypto.randomUUID(),
    source: '/budapp/stream',
    type: 'bud.stream.reset',
    time: new Date().toISOString(),
    data: { reason: { code: 'cannot-continue', message: why }, position },
  });

const isPosition = (from: SubscriptionQuery['from']): from is Position =>
  from !== undefined && from !== 'start' && from !== 'now';

/**
 * Serves one client: first it listens, then it is sent what the log has after its position, then what came meanwhile,
 * then what comes. Answers how to stop.
 */
export const serveClient = (options: ClientOptions): (() => void) => {
  const { hub, callers, logger, throttled, transport, query, token, head } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  let { caller } = options;
  let sent: Position | null = null;
  const waiting: Frame[] = [];
  let overflowed = false;
  let live = false;
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
    if (signal.aborted || (sent !== null && frame.position <= sent)) return;
    if (frame.concerns.includes(caller.user_id)) await refreshAccess(frame.position);
    sent = frame.position;
    if (!isWanted(query, frame) || !maySeeFrame(caller, frame)) return;
    transport.send(frame.text, frame.position);
    if (live && transport.buffered() > MAX_BUFFERED_BYTES) end('too-slow');
  };

  /** A long history goes out as fast as the client takes it. */
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
    if (error instanceof Rejected && (error.kind === 'unauthenticated' || error.kind === 'forbidden')) {
      end(error.code === 'expired-token' ? 'token-expired' : 'access-lost');
      return;
    }
    throttled(() => logger.warn({ err: error }, 'live streams broke: clients go on from their last position'));
    end('server-error');
  };

  /** Where the client is to go on from. A position after the end, or of another form, is one of a log that is gone. */
  const startOf = (): Position | 'start' => {
    const { from = 'now' } = query;
    if (from === 'start') return from;
    if (!isPosition(from)) return head ?? 'start';
    const known = head === null || ofOneForm(from, head);
    if (head !== null && known && from <= head) return from;
    const why = known ? 'This log does not reach as far as that position.' : 'The log has been moved since then.';
    transport.send(resetText(why, head), null);
    return head ?? 'start';
  };

  const begin = async (): Promise<void> => {
    let after = startOf();
    // The bus may be behind the log: what the client has already seen may come only now.
    if (after !== 'start') sent = after;
    do {
      overflowed = false;
      waiting.length = 0;
      await replay(after);
      after = sent ?? after;
    } while (overflowed && !signal.aborted);
    // No await between the last of these and `live`: nothing can slip in.
    for (let next = waiting.shift(); next; next = waiting.shift()) await send(next);
    live = true;
  };

  const unlisten = hub.listen((frame) => {
    if (live) work = work.then(() => send(frame)).catch(fail);
    else if (waiting.length < MAX_WAITING_FRAMES) waiting.push(frame);
    else overflowed = true;
  });
  const heartbeat = setInterval(() => {
    transport.beat();
    // Also notices that the user was disabled or the token revoked.
    if (live) work = work.then(() => refreshAccess(null)).catch(fail);
  }, HEARTBEAT_MS);
  const left = Math.min(Math.max(0, caller.expires_at * 1000 - Date.now()), MAX_TIMER_MS);
  const expiry = setTimeout(() => end('token-expired'), left);
  work = begin().catch(fail);
  return stop;
};
