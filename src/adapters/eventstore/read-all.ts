import type { ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import { Rejected } from '../../errors.ts';
import type { Position, RecordedEvent } from '../../events/event.ts';
import { SETTING } from './address.ts';
import { EndedEarly, isInvalidPosition } from './connection.ts';
import { bytesIn, eventIn, PAGE_BYTES, type ReadServer, readWith } from './read.ts';
import { readAllRequest } from './read-request.ts';
import { toPosition, toRecorded } from './row.ts';

/** Events per page at most: few round trips, and at most two pages in memory. */
const PAGE = 2000;
/** Page size of the first read for BudApp's newest event, which is mostly the last one. */
const FIRST_PAGE = 4;

/** The event at a known position is no longer in the log. */
export class PositionLost extends Rejected {
  constructor(position: Position) {
    super(
      'invalid',
      'unknown-position',
      `${position} is no longer a position of this log: the log has lost its end, or ${SETTING} names another log.`,
    );
  }
}

interface AllPage {
  /** BudApp's events only. */
  events: RecordedEvent[];
  /** Positions of the first and the last event read, of any system; null where there was none. */
  first: Position | null;
  last: Position | null;
  count: number;
  bytes: number;
  /** Whether the log goes on after it for certain: it ends where it was large enough, or where the read broke. */
  cut: boolean;
}

interface AllPageOptions {
  /** Null: from the start of the log, or from its end when reading backwards. */
  from: Position | null;
  backwards: boolean;
  count: number;
  /** Throws where a complete page is not as expected. */
  check?(page: AllPage): void;
}

/** Collects a page from the server's answers. */
const createPage = (count: number) => {
  const page: AllPage = { events: [], first: null, last: null, count: 0, bytes: 0, cut: false };
  let last: Parameters<typeof toPosition>[0] | undefined;
  return {
    /** True where the page is large enough. */
    take(answer: ReadResp): boolean {
      const event = eventIn(answer);
      if (!event) return false;
      page.count += 1;
      page.bytes += bytesIn(answer);
      last = event.position;
      page.first ??= last ? toPosition(last) : null;
      const recorded = toRecorded(event);
      if (recorded) page.events.push(recorded);
      page.cut = page.bytes >= PAGE_BYTES && page.count < count;
      return page.cut;
    },
    sofar(): AllPage {
      page.last = last ? toPosition(last) : null;
      return page;
    },
  };
};

const readPage = async (server: ReadServer, { from, backwards, count, check }: AllPageOptions): Promise<AllPage> => {
  const request = readAllRequest({ from: from ?? (backwards ? 'end' : 'start'), backwards, count, names: null });
  try {
    return await readWith(server, () => {
      const { take, sofar } = createPage(count);
      return {
        request,
        take,
        finish() {
          const page = sofar();
          check?.(page);
          return page;
        },
        keep() {
          const page = sofar();
          // Forwards the first event is the one that the page before ended with.
          const isFurther = page.last !== null && page.last !== from;
          const isContinued = backwards || from === null || page.first === from;
          return isFurther && isContinued ? { ...page, cut: true } : null;
        },
      };
    });
  } catch (error) {
    // In a truncated or different log, a position may not be the start of a record.
    if (from !== null && isInvalidPosition(error)) throw new PositionLost(from);
    throw error;
  }
};

/** Reads forwards from `from`, including its event, which proves that this is still the same log. */
const readFrom = (
  server: ReadServer,
  { from, upTo, count }: { from: Position | null; upTo: Position; count: number },
): Promise<AllPage> => {
  let doubted = false;
  const check = ({ first, last, count: read, cut }: AllPage): void => {
    // A read that was cut off looks the same, so a second one has to confirm it.
    if (from !== null && first !== from && doubted) throw new PositionLost(from);
    doubted = true;
    if (from !== null && first !== from) throw new EndedEarly(`reading from ${from}`);
    if (last === null || (last < upTo && read < count && !cut)) throw new EndedEarly(`reading up to ${upTo}`);
  };
  return readPage(server, { from, backwards: false, count, check });
};

/** Throws `PositionLost` where the log has no event at `position`. */
export const checkStillThere = async (server: ReadServer, position: Position): Promise<void> => {
  await readFrom(server, { from: position, upTo: position, count: 1 });
};

export interface Range {
  after: Position | null;
  upTo: Position | null;
}

/**
 * Reads BudApp's events after `after` up to `upTo`, page by page; the next page is fetched while one is handled. Throws
 * `PositionLost` where there is no event at `after`, even where that is beyond `upTo`.
 */
export async function* readAll(server: ReadServer, { after, upTo }: Range): AsyncGenerator<readonly RecordedEvent[]> {
  if (upTo === null || (after !== null && upTo <= after)) {
    if (after !== null && after !== upTo) await checkStillThere(server, after);
    return;
  }
  const read = (from: Position | null): Promise<AllPage> => readFrom(server, { from, upTo, count: PAGE });
  let from = after;
  let page: Promise<AllPage> | undefined = read(from);
  while (page) {
    const { events, last }: AllPage = await page;
    page = last !== null && last < upTo ? read(last) : undefined;
    // A reader that stops early never awaits the next page, so its failure must not be unhandled.
    page?.catch(() => undefined);
    const firstNew = events[0]?.position === from ? 1 : 0;
    const end = page ? events.length : events.findLastIndex(({ position }) => position <= upTo) + 1;
    if (end > firstNew) yield events.slice(firstNew, end);
    from = last;
  }
}

/**
 * Makes a function that finds the position of BudApp's newest event. Many events of others may follow it, such as the
 * server's own statistics: those that were skipped once are not read again.
 */
export const createHeadFinder = (server: ReadServer): (() => Promise<Position | null>) => {
  let lastSearch: { upTo: Position; newest: Position | null } | undefined;

  /** The result of the last search, where it covers `position`; undefined where the log has lost its end since. */
  const lastSearchUpTo = async (position: Position): Promise<typeof lastSearch> => {
    if (!lastSearch || position > lastSearch.upTo) return undefined;
    try {
      await checkStillThere(server, lastSearch.upTo);
    } catch (error) {
      if (!(error instanceof PositionLost)) throw error;
      lastSearch = undefined;
    }
    return lastSearch;
  };

  return async () => {
    let from: Position | null = null;
    let end: Position | null = null;
    for (let count = FIRST_PAGE; ; count = PAGE) {
      const page: AllPage = await readPage(server, { from, backwards: true, count });
      end ??= page.first;
      let newest = page.events[0]?.position ?? null;
      if (newest === null && page.last !== null && (page.cut || page.count === count)) {
        const before = await lastSearchUpTo(page.last);
        from = page.last;
        if (!before) continue;
        newest = before.newest;
      }
      lastSearch = end === null ? undefined : { upTo: end, newest };
      return newest;
    }
  };
};
