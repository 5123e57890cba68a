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
  add(event: RecordedEvent, bytes: number): boolean;
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

export interface Capacity {
  events: number;
  bytes: number;
}

/**
 * The newest events of a log, in order: at least the last `capacity` of them, at most twice as many. Of large events there
 * may be only one.
 */
export const createEventWindow = (capacity: Capacity): EventWindow => {
  let kept: RecordedEvent[] = [];
  /** The bytes of each event that is kept. */
  let sizes: number[] = [];
  let total = 0;
  /** All events after `start` up to `end` are kept; undefined before the window starts. */
  let start: Position | null | undefined;
  let end: Position | null = null;

  /** Leaves the last of them: half of what there may be, so that this is done once in a while. */
  const shrink = (): void => {
    let first = kept.length;
    let bytes = 0;
    while (first > 0 && kept.length - first < capacity.events) {
      bytes += sizes[first - 1] ?? 0;
      if (bytes > capacity.bytes && first < kept.length) break;
      first -= 1;
    }
    start = kept[first - 1]?.position ?? start;
    kept = kept.slice(first);
    sizes = sizes.slice(first);
    total = sizes.reduce((sum, size) => sum + size, 0);
  };

  return {
    hasBegun: () => start !== undefined,
    begin: (after) => {
      start = after;
      end = after;
    },
    end: () => end,
    add: (event, bytes) => {
      if (!isBeyond(event.position, end)) return false;
      kept.push(event);
      sizes.push(bytes);
      total += bytes;
      end = event.position;
      if (kept.length >= 2 * capacity.events || total >= 2 * capacity.bytes) shrink();
      return true;
    },
    reaches: (after) => start !== undefined && !isBeyond(start, after),
    newsAfter: (after) =>
      end !== null && isBeyond(end, after)
        ? { events: kept.slice(after === null ? 0 : countUpTo(kept, after)), upTo: end }
        : null,
    forget: () => {
      kept = [];
      sizes = [];
      total = 0;
      start = undefined;
      end = null;
    },
  };
};
