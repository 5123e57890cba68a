import { type ResolvedEvent, StreamNotFoundError } from '@eventstore/db-client';
import type { RecordedEvent } from '../../events/event.ts';
import type { ReadStreamOptions } from '../../ports/log.ts';
import { LEADER } from './client.ts';
import { BUFFER, type ReadServer, readWith } from './read.ts';
import { toRecorded } from './row.ts';

/** Events per page: few round trips, and at most one page in memory. */
const PAGE = 2000;
/** Page size of the first read for ids, which are mostly near the end of the stream. */
const FIRST_PAGE = 50;

interface StreamPage {
  /** BudApp's events only. */
  events: RecordedEvent[];
  /** Revisions of the first and the last event read, of any system; null where there was none. */
  first: number | null;
  last: number | null;
  count: number;
}

interface StreamPageOptions {
  stream: string;
  from: number | 'end';
  backwards: boolean;
  count: number;
}

const readPage = async (
  server: ReadServer,
  { stream, from, backwards, count }: StreamPageOptions,
): Promise<StreamPage> => {
  const options = {
    fromRevision: from === 'end' ? from : BigInt(from),
    direction: backwards ? 'backwards' : 'forwards',
    maxCount: count,
    ...LEADER,
  } as const;
  const empty = (): StreamPage => ({ events: [], first: null, last: null, count: 0 });
  try {
    return await readWith(server, () => {
      const page = empty();
      return {
        open: (client) => client.readStream(stream, options, BUFFER),
        take({ event }: ResolvedEvent) {
          if (!event) return;
          page.count += 1;
          page.last = Number(event.revision);
          page.first ??= page.last;
          const recorded = toRecorded(event);
          if (recorded) page.events.push(recorded);
        },
        finish: () => page,
      };
    });
  } catch (error) {
    // The client reports a missing stream only while reading.
    if (error instanceof StreamNotFoundError) return empty();
    throw error;
  }
};

/** Reads the events of one stream, from `from` to `to` (inclusive), at most `limit`. */
export async function* readStream(
  server: ReadServer,
  stream: string,
  { from = 0, to = Number.POSITIVE_INFINITY, backwards = false, limit = Number.POSITIVE_INFINITY }: ReadStreamOptions,
): AsyncGenerator<RecordedEvent> {
  let [low, high, left] = [from, to, limit];
  while (left > 0 && low <= high) {
    const count = Math.min(PAGE, left, high - low + 1);
    const start = backwards ? (Number.isFinite(high) ? high : 'end') : low;
    const page = await readPage(server, { stream, from: start, backwards, count });
    const wanted = page.events.filter(({ revision }) => revision >= low && revision <= high);
    yield* wanted;
    if (page.last === null || page.count < count) return;
    left -= wanted.length;
    if (backwards) high = page.last - 1;
    else low = page.last + 1;
  }
}

/** Reads the event at a revision of a stream. */
export const readOne = async (server: ReadServer, stream: string, revision: number) =>
  (await readPage(server, { stream, from: revision, backwards: false, count: 1 })).events[0];

export interface Found {
  /** The events with these ids, newest first. */
  events: RecordedEvent[];
  /** The stream's last revision; null where it has no events. */
  last: number | null;
}

/** Searches a stream for events by their ids, from its end to its beginning. */
export const findInStream = async (server: ReadServer, stream: string, ids: ReadonlySet<string>): Promise<Found> => {
  const found: Found = { events: [], last: null };
  let from: number | 'end' = 'end';
  for (let count = FIRST_PAGE; ; count = PAGE) {
    const page = await readPage(server, { stream, from, backwards: true, count });
    found.last ??= page.first;
    found.events.push(...page.events.filter(({ id }) => ids.has(id)));
    if (page.last === null || page.last === 0 || found.events.length === ids.size) return found;
    from = page.last - 1;
  }
};
