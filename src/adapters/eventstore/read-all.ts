import { type AllStreamResolvedEvent, UnknownError } from '@eventstore/db-client';
import { Rejected } from '../../errors.ts';
import type { Position, RecordedEvent } from '../../events/event.ts';
import { SETTING } from './address.ts';
import { LEADER } from './client.ts';
import { EndedEarly } from './connection.ts';
import { BUFFER, type ReadServer, readWith } from './read.ts';
import { toPosition, toRecorded, toServerPosition } from './row.ts';

/** Events a page: few round trips, and never more than two pages in memory. */
const PAGE = 2000;
/** Looking for the newest event of ours, which mostly is the last. */
const FIRST_LOOK = 4;

/** A position was handed out and its event is not there any more. */
export class PositionLost extends Rejected {
  constructor(position: Position) {
    super(
      'invalid',
      'unknown-position',
      `${position} is no position of this log any more: the log has lost its end, or ${SETTING} names another one.`,
    );
  }
}

interface AllPage {
  /** Ours. */
  events: RecordedEvent[];
  /** Positions of the first and the last event read, whosesoever; null where there was none. */
  first: Position | null;
  last: Position | null;
  count: number;
}

interface AllPageOptions {
  /** Null: from the very beginning, or the very end where it goes backwards. */
  from: Position | null;
  backwards: boolean;
  count: number;
  /** Throws what is wrong with a page that was read to its end. */
  check?(page: AllPage): void;
}

const GRPC_INVALID_ARGUMENT = 3;

const readPage = async (server: ReadServer, { from, backwards, count, check }: AllPageOptions): Promise<AllPage> => {
  const options = {
    fromPosition: from !== null ? toServerPosition(from) : backwards ? 'end' : 'start',
    direction: backwards ? 'backwards' : 'forwards',
    maxCount: count,
    ...LEADER,
  } as const;
  try {
    return await readWith(server, () => {
      const page: AllPage = { events: [], first: null, last: null, count: 0 };
      let last: Parameters<typeof toPosition>[0] | undefined;
      return {
        open: (client) => client.readAll(options, BUFFER),
        take({ event }: AllStreamResolvedEvent) {
          if (!event) return;
          page.count += 1;
          last = event.position;
          page.first ??= toPosition(last);
          const recorded = toRecorded(event);
          if (recorded) page.events.push(recorded);
        },
        finish() {
          page.last = last ? toPosition(last) : null;
          check?.(page);
          return page;
        },
      };
    });
  } catch (error) {
    // In a log that is shorter than it was, or another one, a position may lie in the middle of something.
    if (from !== null && error instanceof UnknownError && error.code === GRPC_INVALID_ARGUMENT)
      throw new PositionLost(from);
    throw error;
  }
};

/** Reads forwards from `from`, whose own event comes again: that proves that this is still the log that it was of. */
const readFrom = (
  server: ReadServer,
  { from, upTo, count }: { from: Position | null; upTo: Position; count: number },
): Promise<AllPage> => {
  let doubted = false;
  const check = ({ first, last, count: read }: AllPage): void => {
    // A read that breaks off looks just the same, so that a second one has to agree.
    if (from !== null && first !== from && doubted) throw new PositionLost(from);
    doubted = true;
    if (from !== null && first !== from) throw new EndedEarly(`reading from ${from}`);
    if (last === null || (last < upTo && read < count)) throw new EndedEarly(`reading up to ${upTo}`);
  };
  return readPage(server, { from, backwards: false, count, check });
};

/** Throws `PositionLost` where no event stands at `position` (any more). */
export const checkStillThere = async (server: ReadServer, position: Position): Promise<void> => {
  await readFrom(server, { from: position, upTo: position, count: 1 });
};

export interface Range {
  after: Position | null;
  upTo: Position | null;
}

/**
 * Our events after `after` up to `upTo`, page by page; the next page is fetched while one is being handled. Throws
 * `PositionLost` where there is no event at `after`, also when it lies beyond `upTo`.
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
    // Whoever leaves in the middle never awaits the next page; its failure is of no interest then.
    page?.catch(() => undefined);
    const known = events[0]?.position === from ? 1 : 0;
    const end = page ? events.length : events.findLastIndex(({ position }) => position <= upTo) + 1;
    if (end > known) yield events.slice(known, end);
    from = last;
  }
}

/**
 * Makes the function that finds the position of the newest event of ours. Others' may follow it in great number, such as
 * the server's own statistics: those that were passed over once are not read again.
 */
export const createHeadFinder = (server: ReadServer): (() => Promise<Position | null>) => {
  let passed: { upTo: Position; newest: Position | null } | undefined;

  /** What was found at or before `position` the last time; void where the log has lost its end since. */
  const known = async (position: Position): Promise<typeof passed> => {
    if (!passed || position > passed.upTo) return undefined;
    try {
      await checkStillThere(server, passed.upTo);
    } catch (error) {
      if (!(error instanceof PositionLost)) throw error;
      passed = undefined;
    }
    return passed;
  };

  return async () => {
    let from: Position | null = null;
    let end: Position | null = null;
    for (let count = FIRST_LOOK; ; count = PAGE) {
      const page: AllPage = await readPage(server, { from, backwards: true, count });
      end ??= page.first;
      let newest = page.events[0]?.position ?? null;
      if (newest === null && page.last !== null && page.count === count) {
        const before = await known(page.last);
        from = page.last;
        if (!before) continue;
        newest = before.newest;
      }
      passed = end === null ? undefined : { upTo: end, newest };
      return newest;
    }
  };
};
