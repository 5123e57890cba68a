import type { ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import type { RecordedEvent } from '../../events/event.ts';
import type { ReadStreamOptions } from '../../ports/log.ts';
import { assertNotDeleted, assertWhole, damageOf } from './damage.ts';
import { bytesIn, eventIn, PAGE_BYTES, type ReadServer, readWith } from './read.ts';
import { readStreamRequest } from './read-request.ts';
import { toRecorded } from './row.ts';

/** Events per page at most: few round trips, and at most one page in memory. */
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
  bytes: number;
  /** There is no such stream: it never was, or was deleted. */
  missing: boolean;
  /** Whether the stream may go on after it: it ends where it was large enough, or where the read broke. */
  cut: boolean;
}

interface StreamPageOptions {
  stream: string;
  from: number | 'end';
  backwards: boolean;
  count: number;
}

/** The page of a stream that does not exist is empty: the server answers `StreamNotFound`, which is no event. */
const readPage = (server: ReadServer, { stream, from, backwards, count }: StreamPageOptions): Promise<StreamPage> =>
  readWith(server, () => {
    const page: StreamPage = { events: [], first: null, last: null, count: 0, bytes: 0, missing: false, cut: false };
    return {
      request: readStreamRequest(stream, { from, backwards, count }),
      take(answer: ReadResp) {
        page.missing ||= answer.hasStreamNotFound();
        const event = eventIn(answer);
        if (!event) return false;
        page.count += 1;
        page.bytes += bytesIn(answer);
        page.last = Number(event.revision);
        page.first ??= page.last;
        const recorded = toRecorded(event);
        if (recorded) page.events.push(recorded);
        page.cut = page.bytes >= PAGE_BYTES && page.count < count;
        return page.cut;
      },
      finish: () => page,
      keep: () => (page.count > 0 ? { ...page, cut: true } : null),
    };
  });

/** Reads the events of one stream, from `from` to `to` (inclusive), at most `limit`. Throws `history-damaged`. */
export async function* readStream(
  server: ReadServer,
  stream: string,
  options: ReadStreamOptions,
): AsyncGenerator<RecordedEvent> {
  const { from = 0, to = Number.POSITIVE_INFINITY, limit = Number.POSITIVE_INFINITY } = options;
  const { backwards = false, deleted = 'is-empty' } = options;
  let [low, high, left] = [from, to, limit];
  while (left > 0 && low <= high) {
    const count = Math.min(PAGE, left, high - low + 1);
    const start = backwards ? (Number.isFinite(high) ? high : 'end') : low;
    const page = await readPage(server, { stream, from: start, backwards, count }).catch((error: unknown) => {
      throw damageOf(error, stream) ?? error;
    });
    if (!backwards) assertWhole(stream, { from: low, first: page.first });
    if (page.missing && deleted === 'is-refused') await assertNotDeleted(server, stream);
    const wanted = page.events.filter(({ revision }) => revision >= low && revision <= high);
    yield* wanted;
    if (page.last === null || (page.count < count && !page.cut)) return;
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
