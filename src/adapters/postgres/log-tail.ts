import { isUnknownPosition } from '../../errors.ts';
import type { Position, RecordedEvent } from '../../events/event.ts';
import { type ReadLog, readLog } from './log-read.ts';

/** Live readers are within milliseconds of each other; one that is further behind reads from the log itself. */
const CAPACITY = 4000;

export interface Tail {
  /**
   * The events after `after` up to `upTo`, in order; null where the tail does not reach back so far. They are shared,
   * so callers must not change them.
   */
  between(
    after: { position: Position; id: string | undefined },
    upTo: Position,
  ): Promise<readonly RecordedEvent[] | null>;
  /** To be called where the log has lost its end. */
  forget(): void;
}

/**
 * The newest events, read and parsed once for all live readers of this process: read models, processes and the status
 * feed follow the same log, and would run the same query at the same moment.
 */
export const createTail = (log: ReadLog): Tail => {
  let events: RecordedEvent[] = [];
  /** `events` has all events after `start` up to `end`; null before the first read. */
  let start: Position | null = null;
  let end: Position | null = null;
  /** The id of the event at `end`, where it has been read. */
  let endId: string | undefined;
  let filling: Promise<void> | undefined;

  const forget = (): void => {
    events = [];
    start = null;
    end = null;
    endId = undefined;
  };

  const fill = async (after: Position, upTo: Position): Promise<void> => {
    // Added only once complete, so that a failed read is repeated from the same position.
    const pages: (readonly RecordedEvent[])[] = [];
    for await (const page of readLog(log, { after, after_id: endId, upTo, filter: undefined })) pages.push(page);
    // Another one may have found meanwhile that the log has lost its end.
    if (end !== after) return;
    events = events.concat(...pages);
    [end, endId] = [upTo, events.at(-1)?.id];
    const surplus = events.length - CAPACITY;
    if (surplus <= 0) return;
    start = events[surplus - 1]?.position ?? start;
    events = events.slice(surplus);
  };

  const reach = async (upTo: Position): Promise<void> => {
    while (end !== null && end < upTo) {
      filling ??= fill(end, upTo)
        .catch((error: unknown) => {
          if (isUnknownPosition(error)) forget();
          throw error;
        })
        .finally(() => {
          filling = undefined;
        });
      await filling;
    }
  };

  return {
    between: async ({ position: after, id }, upTo) => {
      start ??= after;
      if (end === null) [end, endId] = [after, id];
      if (after < start) return null;
      await reach(upTo);
      if (start === null || after < start) return null;
      const from = events.findLastIndex(({ position }) => position <= after) + 1;
      const to = events.findLastIndex(({ position }) => position <= upTo) + 1;
      return events.slice(from, to);
    },
    forget,
  };
};
