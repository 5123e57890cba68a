import type { Position } from '../../events/event.ts';

export interface HeadNews {
  newest(): Position | null;
  /** Milliseconds from `now` until readers may be notified; 0 or less: at once; null: the head is not new. */
  seen(head: Position | null, now: number): number | null;
  /** Records that readers have been notified of the newest head. */
  told(now: number): void;
  /** The log has lost its end: the next head is new, though it is before the newest one. */
  forget(): void;
}

/**
 * On a quiet log readers are notified at once. On a busy one they are notified less often, and find more to read: each
 * round costs the same for ten events and for a thousand, and appends need the processor too.
 */
const LEAST_INTERVAL_MS = 10;
const BUSY_INTERVAL_MS = 50;
/** New events per millisecond. */
const BUSY_RATE = 2;

export const isBeyond = (head: Position | null, position: Position | null): boolean =>
  head !== null && (position === null || head > position);

/** The newest known head of the log, and when readers are notified of it. */
export const createHeadNews = (): HeadNews => {
  let newest: Position | null = null;
  let toldAt = 0;
  let toldUpTo = 0;
  let interval = LEAST_INTERVAL_MS;
  return {
    newest: () => newest,
    seen: (head, now) => {
      if (head === null || !isBeyond(head, newest)) return null;
      newest = head;
      return toldAt + interval - now;
    },
    told: (now) => {
      const upTo = Number(newest);
      const rate = (upTo - toldUpTo) / (now - toldAt);
      interval = rate < BUSY_RATE ? LEAST_INTERVAL_MS : BUSY_INTERVAL_MS;
      toldAt = now;
      toldUpTo = upTo;
    },
    forget: () => {
      newest = null;
      toldUpTo = 0;
    },
  };
};
