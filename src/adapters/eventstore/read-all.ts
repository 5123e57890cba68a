import { Rejected } from '../../errors.ts';
import type { Position, RecordedEvent } from '../../events/event.ts';
import type { Standing } from '../../ports/log.ts';
import { SETTING } from './address.ts';
import { type AllPage, createPage, PAGE } from './all-page.ts';
import { EndedEarly, isInvalidPosition, isTransient } from './connection.ts';
import { isBeyond } from './event-window.ts';
import { type ReadServer, readWith } from './read.ts';
import { readFiltered } from './read-filtered.ts';
import { readAllRequest, type StreamNames } from './read-request.ts';
import { toServerPosition } from './row.ts';

/** Page size of the first read for BudApp's newest event, which is mostly the last one, and may be large. */
const FIRST_PAGE = 1;
const GROWTH = 8;

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

interface AllPageOptions {
  /** Null: from the start of the log, or from its end when reading backwards. */
  from: Position | null;
  /** False where `from` is a checkpoint of the server: there may be no event. */
  isEvent: boolean;
  backwards: boolean;
  count: number;
  names: StreamNames | null;
  /** Throws where a complete page is not as expected. */
  check?(page: AllPage): void;
}

const readPage = async (
  server: ReadServer,
  { from, isEvent, backwards, count, names, check }: AllPageOptions,
): Promise<AllPage> => {
  const request = readAllRequest({ from: from ?? (backwards ? 'end' : 'start'), backwards, count, names });
  try {
    return await readWith(server, () => {
      const { take, sofar } = createPage(count, server.strangers);
      return {
        request,
        // Backwards it is the newest event that is looked for.
        take: (answer) => take(answer) || (backwards && sofar().events.length > 0),
        finish() {
          const page = sofar();
          check?.(page);
          return page;
        },
        keep() {
          const page = sofar();
          // Forwards the first event is the one that the page before ended with.
          const isFurther = page.last !== null && page.last !== from;
          const isContinued = backwards || !isEvent || from === null || page.first === from;
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

/** A read that was cut off looks like the end of the log, so others have to confirm it. */
const CONFIRMATIONS = 2;

/** What is at a position, events of other systems included. */
export const eventAt = async (server: ReadServer, from: Position): Promise<Standing> => {
  try {
    for (let asked = 0; asked <= CONFIRMATIONS; asked += 1) {
      const { first, firstId } = await readPage(server, {
        from,
        isEvent: true,
        backwards: false,
        count: 1,
        names: null,
      });
      if (firstId !== null) return first === from ? { id: firstId } : 'none';
    }
    return 'beyond-end';
  } catch (error) {
    if (error instanceof PositionLost) return 'inside-another';
    throw error;
  }
};

/** A place in the log from which to read on. */
interface Place {
  position: Position | null;
  /** False where the position is a checkpoint of the server: there may be no event. */
  isEvent: boolean;
  /** The id of the event, or its first digits, as far as it is known. */
  id?: string | undefined;
}

interface Stretch {
  events: readonly RecordedEvent[];
  reached: Place;
}

/** Reads forwards from a place. Includes its event, which proves that this is still the same log. */
const readFrom = async (
  server: ReadServer,
  { from: place, upTo, count }: { from: Place; upTo: Position; count: number },
): Promise<AllPage> => {
  const { position: from, isEvent, id = '' } = place;
  let doubted = false;
  const checkEnd = ({ last, count: read, cut }: AllPage): void => {
    if (last === null || (last < upTo && read < count && !cut)) throw new EndedEarly(`reading up to ${upTo}`);
  };
  const check = (page: AllPage): void => {
    const isElsewhere = isEvent && from !== null && page.first !== from;
    const isAnother = isEvent && from !== null && page.first === from && !page.firstId?.startsWith(id);
    // A read that was cut off looks the same, so a second one has to confirm it.
    if (isAnother || (isElsewhere && doubted)) throw new PositionLost(from);
    doubted = true;
    if (isElsewhere) throw new EndedEarly(`reading from ${from}`);
    checkEnd(page);
  };
  const range = { from, backwards: false, count, names: null };
  try {
    return await readPage(server, { ...range, isEvent, check });
  } catch (error) {
    if (from === null || !(error instanceof PositionLost)) throw error;
    await server.compare();
    // The event was scavenged: the log goes on behind it.
    if ((await eventAt(server, from)) !== 'none') throw error;
    return readPage(server, { ...range, isEvent: false, check: checkEnd });
  }
};

/** Throws `PositionLost` where the log has no event at `position`, or has another one there than `id` names. */
export const checkStillThere = async (server: ReadServer, position: Position, id?: string): Promise<void> => {
  await readFrom(server, { from: { position, id, isEvent: true }, upTo: position, count: 1 });
};

export interface Range {
  after: Position | null;
  /** The id of the event at `after`, or its first digits, as far as it is known. */
  after_id?: string | undefined;
  upTo: Position | null;
  /** The streams that are wanted, where the server can leave out the others; null: all of BudApp's. */
  names: StreamNames | null;
}

/** Positions are bytes of the log. What is nearer is read whole, before a subscription would have begun. */
const FAR_BYTES = 256 * 1024;

/** Where more than this part of the log passes, reading all of it is faster; so many pages are, before the next try. */
const DENSE = 0.5;
const DENSE_PAGES = 8;

const bytesBetween = (from: Position | null, to: Position): number =>
  Number(toServerPosition(to).commit - (from === null ? 0n : toServerPosition(from).commit));

/**
 * Reads BudApp's events after `after` up to `upTo`, page by page; the next page is fetched while one is handled. May
 * contain events of streams that are not wanted. Throws `PositionLost` where there is no event at `after`, even where that
 * is beyond `upTo`.
 */
export async function* readAll(
  server: ReadServer,
  { after, after_id, upTo, names }: Range,
): AsyncGenerator<readonly RecordedEvent[]> {
  if (upTo === null || (after !== null && upTo <= after)) {
    if (after !== null && (after !== upTo || after_id !== undefined)) await checkStillThere(server, after, after_id);
    return;
  }
  /** How many pages are still read whole, since a filter is not worth it there. */
  let whole = 0;
  let compared = server.connection.failures();
  const filterFrom = (from: Position | null): StreamNames | null =>
    whole === 0 && bytesBetween(from, upTo) >= FAR_BYTES ? (names ?? server.strangers.names()) : null;

  const read = async (from: Place): Promise<Stretch> => {
    const wanted = filterFrom(from.position);
    if (wanted === null) {
      whole = Math.max(0, whole - 1);
      const { events, last, lastId } = await readFrom(server, { from, upTo, count: PAGE });
      return { events, reached: { position: last, isEvent: true, id: lastId ?? undefined } };
    }
    const range = { after: from.position, upTo, names: wanted };
    const page = await readFiltered(server, range).catch((error: unknown) => {
      throw from.position !== null && isInvalidPosition(error) ? new PositionLost(from.position) : error;
    });
    // Nothing in it shows that it is of the same log as what was read before.
    const failed = server.connection.failures();
    if (failed !== compared) await server.compare();
    compared = failed;
    const isDense = page.reached !== null && page.bytes > DENSE * bytesBetween(from.position, page.reached);
    if (page.ended) whole = Number.POSITIVE_INFINITY;
    else if (isDense) whole = DENSE_PAGES;
    return { events: page.events, reached: { position: page.reached, isEvent: false } };
  };

  if (after !== null && filterFrom(after) !== null) await checkStillThere(server, after, after_id);
  let from: Place = { position: after, isEvent: true, id: after_id };
  let page: Promise<Stretch> | undefined = read(from);
  while (page) {
    const { events, reached }: Stretch = await page;
    page = isBeyond(upTo, reached.position) ? read(reached) : undefined;
    // A reader that stops early never awaits the next page, so its failure must not be unhandled.
    page?.catch(() => undefined);
    const firstNew = events[0]?.position === from.position ? 1 : 0;
    const end = page ? events.length : events.findLastIndex(({ position }) => position <= upTo) + 1;
    if (end > firstNew) yield events.slice(firstNew, end);
    from = reached;
  }
}

/**
 * Makes a function that finds the position of BudApp's newest event. Many events of others may follow it, such as the
 * server's own statistics: those that were skipped once are not read again.
 */
export const createHeadFinder = (server: ReadServer): (() => Promise<Position | null>) => {
  let lastSearch: { upTo: Position; id: string | undefined; newest: Position | null } | undefined;

  /** The result of the last search, where it covers `position`; undefined where the log has lost its end since. */
  const lastSearchUpTo = async (position: Position): Promise<typeof lastSearch> => {
    if (!lastSearch || position > lastSearch.upTo) return undefined;
    try {
      await checkStillThere(server, lastSearch.upTo, lastSearch.id);
    } catch (error) {
      if (!(error instanceof PositionLost)) throw error;
      lastSearch = undefined;
    }
    return lastSearch;
  };

  /** Set where the server searched through the streams of others for too long without a word. */
  let isFilteringTooSlow = false;
  const readBackwards = (from: Position | null, count: number, others: ReadonlySet<string>): Promise<AllPage> => {
    const names = isFilteringTooSlow ? null : server.strangers.names(others);
    const page = readPage(server, { from, isEvent: false, backwards: true, count, names });
    if (names === null) return page;
    return page.catch((error: unknown) => {
      isFilteringTooSlow = isTransient(error instanceof Rejected ? error.cause : error);
      throw error;
    });
  };

  return async () => {
    let from: Position | null = null;
    let end: Position | null = null;
    let endId: string | undefined;
    const others = new Set<string>();
    for (let count = FIRST_PAGE; ; count = Math.min(count * GROWTH, PAGE)) {
      const page: AllPage = await readBackwards(from, count, others);
      end ??= page.first;
      endId ??= page.firstId ?? undefined;
      let newest = page.events[0]?.position ?? null;
      if (newest === null && page.last !== null && (page.cut || page.count === count)) {
        for (const category of page.others) others.add(category);
        const before = await lastSearchUpTo(page.last);
        from = page.last;
        if (!before) continue;
        newest = before.newest;
      }
      lastSearch = end === null ? undefined : { upTo: end, id: endId, newest };
      return newest;
    }
  };
};
