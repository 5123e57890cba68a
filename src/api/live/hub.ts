import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { isUnknownPosition, unknownPosition } from '../../errors.ts';
import { Area, parseStream, streamOf } from '../../events/catalog.ts';
import type { Position } from '../../events/event.ts';
import type { TenantId } from '../../events/ids.ts';
import type { Closable } from '../../ports/closable.ts';
import type { Log, LogFilter } from '../../ports/log.ts';
import type { StatusBus } from '../../ports/status-bus.ts';
import type { StatusMapper } from '../../projections/engine/status-feed.ts';
import { createOutage } from '../../resilience/outage.ts';
import { type Frame, frameOf, frameOfEvent } from './frame.ts';

export interface HubOptions {
  log: Log;
  bus: StatusBus;
  mapper: StatusMapper;
  logger: Logger;
  /** Milliseconds between comparisons of the log's head with the position passed on. */
  check_ms?: number;
}

export interface ReplayOptions {
  after: Position | 'start';
  /** As for `Log.subscribe`. */
  after_id?: string | undefined;
  /** Narrows what is read; default: all resources. */
  filter?: LogFilter;
  /** Frames of other tenants are left out; default: none are. */
  tenant_id?: TenantId;
  signal: AbortSignal;
}

/** A frame, or the position up to which the log has been read. */
export type Replayed = { frame: Frame } | { read_to: Position | null; event_id: string | undefined };

export interface Hub extends Closable {
  /**
   * Delivers frames from now on, in the order of the log, without gaps and duplicates. Returns the function that stops
   * it. `onLost`: the log has another history than what was delivered, and the listener hears no more.
   */
  listen(listener: (frame: Frame) => void, onLost?: (error: unknown) => void): () => void;
  /** The position up to which all frames have been delivered; null where the log was empty. */
  seen(): Position | null;
  /** Has frames delivered that are in the log up to `position` though the bus has not brought them. */
  reach(position: Position | null): void;
  /** Reads the frames after a position from the log, up to its present end. */
  replay(options: ReplayOptions): AsyncIterable<Replayed>;
}

/** All resources; the streams of names are none. */
const RESOURCES: LogFilter = { streamPrefixes: Area.options.map((area) => streamOf(area, '')) };
const CHECK_MS = 5000;
const RETRY_MS = 500;
/** Bound on the queue while the log is slow. Messages beyond it are dropped, and read from the log later. */
const MAX_QUEUED = 10_000;

/**
 * One subscription of the bus for all clients of this process. The bus delivers at most once. Each message names the
 * position of the one before it, so a gap is noticed and filled from the log before the message is passed on.
 */
export const createHub = async ({ log, bus, mapper, logger, check_ms = CHECK_MS }: HubOptions): Promise<Hub> => {
  const listeners = new Map<(frame: Frame) => void, (error: unknown) => void>();
  const closing = new AbortController();
  const { signal } = closing;
  /** The position up to which all frames have been passed on. */
  let seen: Position | null = await log.head();
  /** The id of the event at `seen`; undefined where it is not known. */
  let seenId: string | undefined;
  let work: Promise<void> = Promise.resolve();
  let queued = 0;
  const outage = createOutage({
    logger,
    failing: (err) => ({ message: 'the live stream cannot read the log: trying again', fields: { err } }),
    working: 'the live stream reads the log again',
  });

  const isUnseen = (position: Position | null): position is Position =>
    position !== null && (seen === null || position > seen);

  const passOn = (frame: Frame): void => {
    if (seen !== null && frame.position <= seen) return;
    seen = frame.position;
    seenId = frame.id;
    for (const listener of listeners.keys()) listener(frame);
  };

  const replay = async function* (options: ReplayOptions): AsyncIterable<Replayed> {
    const { after, after_id, tenant_id, filter = RESOURCES } = options;
    for await (const item of log.subscribe({ after, after_id, live: false, filter, signal: options.signal })) {
      const resource = 'caughtUp' in item ? null : parseStream(item.stream);
      if ('caughtUp' in item || !resource || (tenant_id !== undefined && item.meta.tenant_id !== tenant_id))
        yield { read_to: item.position, event_id: 'caughtUp' in item ? item.event_id : item.id };
      else {
        const project_id = await mapper.projectOf(item, resource);
        yield { frame: frameOfEvent(item, { ...resource, project_id }) };
      }
    }
  };

  const catchUp = async (): Promise<void> => {
    for await (const item of replay({ after: seen ?? 'start', after_id: seenId, signal })) {
      if ('frame' in item) passOn(item.frame);
      else if (isUnseen(item.read_to)) [seen, seenId] = [item.read_to, item.event_id];
    }
  };

  /** After a fail-over that has lost the newest events: clients connect again, and are told by their cursors. */
  const beginAnew = async (error: unknown): Promise<void> => {
    logger.warn({ err: error, seen }, 'the log has lost events that live streams have shown: they end, and begin anew');
    [seen, seenId] = [await log.head(), undefined];
    const told = [...listeners.values()];
    listeners.clear();
    for (const onLost of told) onLost(error);
  };

  /** Retries until it succeeds, since no later frame may be passed on before the missed ones. */
  const catchUpWithRetries = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        await catchUp().catch((error) => (isUnknownPosition(error) ? beginAnew(error) : Promise.reject(error)));
        return outage.ok();
      } catch (error) {
        if (signal.aborted) return;
        outage.failed(error);
        await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  };

  const hasGapBefore = ({ previous }: Frame): boolean => previous === undefined || seen === null || previous > seen;

  const take = async (frame: Frame): Promise<void> => {
    if (seen !== null && frame.position <= seen) return;
    if (hasGapBefore(frame)) await catchUpWithRetries();
    passOn(frame);
  };

  const enqueue = (job: () => Promise<void>): void => {
    queued += 1;
    work = work
      .then(job)
      .catch((error) => logger.error({ err: error }, 'the live stream could not handle a status message'))
      .finally(() => {
        queued -= 1;
      });
  };

  /** Compares with the log's head: if the last message was lost, no later one reveals the gap. */
  const compareWithHead = (): void => {
    if (listeners.size === 0) return;
    enqueue(async () => {
      const head = await log.head().catch(() => null);
      if (head === null) return;
      if (seen !== null && head < seen) await beginAnew(unknownPosition(seen));
      else if (isUnseen(head)) await catchUpWithRetries();
    });
  };

  let wanted: Position | null = null;
  /** One look at the log for all who ask at the same moment. */
  const reach = (position: Position | null): void => {
    if (!isUnseen(position)) return;
    const isAsked = wanted !== null;
    if (wanted === null || position > wanted) wanted = position;
    if (isAsked) return;
    enqueue(async () => {
      const asked = wanted;
      wanted = null;
      if (isUnseen(asked)) await catchUpWithRetries();
    });
  };

  const unsubscribe = await bus.subscribe(
    'bud.status.>',
    (message) => {
      if (queued >= MAX_QUEUED) return;
      const frame = frameOf(message);
      if (frame) enqueue(() => take(frame));
    },
    { onGap: compareWithHead },
  );
  const check = setInterval(compareWithHead, check_ms).unref();

  return {
    listen(listener, onLost = () => undefined) {
      listeners.set(listener, onLost);
      return () => listeners.delete(listener);
    },
    seen: () => seen,
    reach,
    replay,
    async close() {
      clearInterval(check);
      closing.abort();
      unsubscribe();
      await work;
    },
  };
};
