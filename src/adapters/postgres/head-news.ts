import type { Position } from '../../events/event.ts';

export interface HeadNews {
  newest(): Position | null;
  /** Milliseconds of `now` until readers may be told, 0 or less: at once; null: that head is not new. */
  seen(head: Position | null, now: number): number | null;
  /** Readers are told of the newest head. */
  told(now: number): void;
}

/**
 * On a quiet log readers are told of news at once. On a busy one they are told less often and then find more to read:
 * each round costs them the same whether it brings ten events or a thousand, and appends need the processor, too.
 */
const LEAST_INTERVAL_MS = 10;
const BUSY_INTERVAL_MS = 50;
/** New events a millisecond. */
const BUSY_RATE = 2;

export const isBeyond = (head: Position | null, position: Position | null): boolean =>
  head !== null && (position === null || head > position);

/** How far the log is known to go, and when its readers are told. */
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
  };
};
