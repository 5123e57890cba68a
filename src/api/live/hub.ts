import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Position } from '../../events/event.ts';
import type { Closable } from '../../ports/closable.ts';
import type { Log } from '../../ports/log.ts';
import type { StatusBus } from '../../ports/status-bus.ts';
import type { StatusMapper } from '../../projections/engine/status-feed.ts';
import { type Frame, frameOf } from './frame.ts';

export interface HubOptions {
  log: Log;
  bus: StatusBus;
  mapper: StatusMapper;
  logger: Logger;
  /** How often the log is compared with what the bus brought, in milliseconds. */
  check_ms?: number;
}

/** What replaying is at: a frame, or the end of what there is. */
export type Replayed = { frame: Frame } | { caught_up_at: Position | null };

export interface Hub extends Closable {
  /** Frames from now on, in the order of the log, none missing and none twice. Answers how to stop. */
  listen(listener: (frame: Frame) => void): () => void;
  /** Frames after a position, from the log, to its present end. */
  replay(after: Position | 'start', signal: AbortSignal): AsyncIterable<Replayed>;
}

const CHECK_MS = 5000;
const RETRY_MS = 500;
/** While the log is slow so many messages wait; what comes after is left out, and read from the log in its turn. */
const MAX_WAITING = 10_000;

/**
 * One subscription of the bus for all clients of this process. The bus delivers at most once, so that each message says
 * which was before it: what is missing is read from the log, before the message is passed on.
 */
export const createHub = async ({ log, bus, mapper, logger, check_ms = CHECK_MS }: HubOptions): Promise<Hub> => {
  const listeners = new Set<(frame: Frame) => void>();
  const closing = new AbortController();
  const { signal } = closing;
  /** Everything up to it has been passed on. */
  let seen: Position | null = await log.head();
  let work: Promise<void> = Promise.resolve();
  let waiting = 0;

  const passOn = (frame: Frame): void => {
    if (seen !== null && frame.position <= seen) return;
    seen = frame.position;
    for (const listener of listeners) listener(frame);
  };

  const replay = async function* (after: Position | 'start', until: AbortSignal): AsyncIterable<Replayed> {
    for await (const item of log.subscribe({ after, live: false, signal: until })) {
      if ('caughtUp' in item) {
        yield { caught_up_at: item.position };
        continue;
      }
      const message = await mapper.toStatus(item);
      const frame = message && frameOf(message);
      if (frame) yield { frame };
    }
  };

  const catchUp = async (): Promise<void> => {
    for await (const item of replay(seen ?? 'start', signal)) {
      if ('frame' in item) passOn(item.frame);
      else if (item.caught_up_at !== null && (seen === null || item.caught_up_at > seen)) seen = item.caught_up_at;
    }
  };

  /** Until it has worked: nothing may be passed on before what was missed. */
  const catchUpSurely = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        return await catchUp();
      } catch (error) {
        if (signal.aborted) return;
        logger.warn({ err: error }, 'the live stream cannot read the log: trying again');
        await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  };

  const isMissingSome = ({ previous }: Frame): boolean => previous === undefined || seen === null || previous > seen;

  const take = async (frame: Frame): Promise<void> => {
    if (seen !== null && frame.position <= seen) return;
    if (isMissingSome(frame)) await catchUpSurely();
    passOn(frame);
  };

  const enqueue = (job: () => Promise<void>): void => {
    waiting += 1;
    work = work
      .then(job)
      .catch((error) => logger.error({ err: error }, 'the live stream failed at a message'))
      .finally(() => {
        waiting -= 1;
      });
  };

  /** The last message may be the one that was lost: nothing after it would tell. */
  const compare = (): void => {
    if (listeners.size === 0) return;
    enqueue(async () => {
      const head = await log.head().catch(() => null);
      if (head !== null && (seen === null || head > seen)) await catchUpSurely();
    });
  };

  const unsubscribe = await bus.subscribe(
    'bud.status.>',
    (message) => {
      if (waiting >= MAX_WAITING) return;
      const frame = frameOf(message);
      if (frame) enqueue(() => take(frame));
    },
    { onGap: compare },
  );
  const check = setInterval(compare, check_ms).unref();

  return {
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    replay,
    async close() {
      clearInterval(check);
      closing.abort();
      unsubscribe();
      await work;
    },
  };
};
