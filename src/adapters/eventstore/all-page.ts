import type { ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import type { Position, RecordedEvent } from '../../events/event.ts';
import { bytesIn, eventIn, PAGE_BYTES } from './read.ts';
import { type ServerPosition, toPosition, toRecorded } from './row.ts';
import type { Strangers } from './strangers.ts';

/** Events per page at most: few round trips, and at most two pages in memory. */
export const PAGE = 2000;

/** A page of all streams. */
export interface AllPage {
  /** BudApp's events only. */
  events: RecordedEvent[];
  /** Positions of the first and the last event read, of any system; null where there was none. */
  first: Position | null;
  last: Position | null;
  /** Their ids. */
  firstId: string | null;
  lastId: string | null;
  count: number;
  bytes: number;
  /** Whether the log may go on after it: it ends where it was large enough, or where the read broke. */
  cut: boolean;
  /** The categories of the streams that are others'. */
  others: Set<string>;
}

/** Collects a page of at most `count` events from the server's answers. */
export const createPage = (count: number, strangers: Strangers) => {
  const page: AllPage = {
    ...{ events: [], first: null, last: null, firstId: null, lastId: null },
    ...{ count: 0, bytes: 0, cut: false, others: new Set() },
  };
  let last: ServerPosition | undefined;
  return {
    /** True where the page is large enough. */
    take(answer: ReadResp): boolean {
      const event = eventIn(answer);
      if (!event) return false;
      const bytes = bytesIn(answer);
      page.count += 1;
      page.bytes += bytes;
      last = event.position;
      page.first ??= last ? toPosition(last) : null;
      page.firstId ??= event.id;
      page.lastId = event.id;
      const recorded = toRecorded(event);
      if (recorded) page.events.push(recorded);
      const category = strangers.saw(event.streamId, { bytes, isOurs: recorded !== null });
      if (category !== null) page.others.add(category);
      // The first event may be the one that the page before ended with.
      page.cut = page.bytes >= PAGE_BYTES && page.count > 1 && page.count < count;
      return page.cut;
    },
    sofar(): AllPage {
      page.last = last ? toPosition(last) : null;
      return page;
    },
  };
};
