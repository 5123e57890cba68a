import type { Position, RecordedEvent } from '../../events/event.ts';

export interface News {
  /** In order, and shared: nobody may change them. */
  events: readonly RecordedEvent[];
  upTo: Position;
}

export interface EventWindow {
  hasBegun(): boolean;
  begin(after: Position | null): void;
  /** Where the subscription goes on from. */
  end(): Position | null;
  /** False: it is known already, as after a subscription that began anew. */
  add(event: RecordedEvent): boolean;
  /** Whether all events after the position are kept, as far as they have come. */
  reaches(after: Position | null): boolean;
  /** For a position that it reaches; null: nothing has come after it. */
  newsAfter(after: Position | null): News | null;
  /** Until it begins anew it reaches no position. */
  forget(): void;
}

export const isBeyond = (position: Position | null, other: Position | null): boolean =>
  position !== null && (other === null || position > other);

/** How many of the events, which are in order, stand at `position` or before it. */
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

/** The newest events of a log in their order: the last `capacity` of them at the least, twice as many at the most. */
export const createEventWindow = (capacity: number): EventWindow => {
  let kept: RecordedEvent[] = [];
  /** All events after `start` up to `end` are kept; undefined: it has not begun. */
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
