import type { Position, RecordedEvent } from '../../events/event.ts';

export interface News {
  /** In order. Shared between readers, so they must not be changed. */
  events: readonly RecordedEvent[];
  upTo: Position;
}

export interface EventWindow {
  hasBegun(): boolean;
  begin(after: Position | null): void;
  /** The position from which the subscription continues. */
  end(): Position | null;
  /** False where the event is known already, as after a new subscription. */
  add(event: RecordedEvent): boolean;
  /** Whether all later events that have arrived are kept. */
  reaches(after: Position | null): boolean;
  /** The events after a position within the window; null where there are none yet. */
  newsAfter(after: Position | null): News | null;
  /** Empties the window; it contains no position until it starts again. */
  forget(): void;
}

export const isBeyond = (position: Position | null, other: Position | null): boolean =>
  position !== null && (other === null || position > other);

/** The number of events at or before `position`; the events are in order. */
const countUpTo = (events: readonly RecordedEvent[], position: Position): number => {
  let [low, high] = [0, events.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const event = events[middle];
    if (event && event.position <= position) low = middle + 1;
    else high = middle;
  }
  return low;
};

/** The newest events of a log, in order: at least the last `capacity` of them, at most twice as many. */
export const createEventWindow = (capacity: number): EventWindow => {
  let kept: RecordedEvent[] = [];
  /** All events after `start` up to `end` are kept; undefined before the window starts. */
  let start: Position | null | undefined;
  let end: Position | null = null;
  return {
    hasBegun: () => start !== undefined,
    begin: (after) => {
      start = after;
      end = after;
    },
    end: () => end,
    add: (event) => {
      if (!isBeyond(event.position, end)) return false;
      kept.push(event);
      end = event.position;
      if (kept.length >= 2 * capacity) {
        start = kept[capacity - 1]?.position ?? start;
        kept = kept.slice(capacity);
      }
      return true;
    },
    reaches: (after) => start !== undefined && !isBeyond(start, after),
    newsAfter: (after) =>
      end !== null && isBeyond(end, after)
        ? { events: kept.slice(after === null ? 0 : countUpTo(kept, after)), upTo: end }
        : null,
    forget: () => {
      kept = [];
      start = undefined;
      end = null;
    },
  };
};
