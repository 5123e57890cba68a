import type { Pool } from 'pg';
import { historyDamaged, unknownPosition } from '../../errors.ts';
import type { Position, RecordedEvent } from '../../events/event.ts';
import type { LogFilter, ReadStreamOptions } from '../../ports/log.ts';
import { isOurs } from '../envelope.ts';
import type { Stored } from '../plain-envelope.ts';
import type { Retry } from './connection.ts';
import { selectEvents, selectPage } from './log-row.ts';

/** Events per page: few round trips, and at most two pages in memory. */
const PAGE = 2000;
/** Events of the first page, so that the first event of a long read comes at once. */
const FIRST_PAGE = 200;

export interface ReadLog {
  pool: Pool;
  retry: Retry;
}

const likePattern = (prefix: string): string => `${prefix.replace(/[\\%_]/g, '\\$&')}%`;

export interface Range {
  after: Position | null;
  /** The id of the event at `after`, or its first digits, as far as it is known. */
  after_id?: string | undefined;
  upTo: Position;
  filter: LogFilter | undefined;
}

/** The filter as a condition, whose values are added to `values`; as in `createLogFilter`. */
const conditionOf = (filter: LogFilter, values: unknown[]): string => {
  const isAny = (column: string, texts: readonly string[]) => `${column} = any($${values.push(texts)}::text[])`;
  const { types, streamPrefixes, streams, typesOfAnyStream } = filter;
  const named = [
    ...(streams ? [isAny('stream', streams)] : []),
    ...(streamPrefixes ? [`stream like any($${values.push(streamPrefixes.map(likePattern))}::text[])`] : []),
  ];
  const all = [...(types ? [isAny('type', types)] : []), ...(named.length > 0 ? [`(${named.join(' or ')})`] : [])];
  const wanted = all.length > 0 ? all.join(' and ') : 'true';
  return typesOfAnyStream ? `(${wanted} or ${isAny('type', typesOfAnyStream)})` : wanted;
};

/** The next page; where the event at `after` is known it is read, too, and has to be the same still. */
const readPage = async (
  { pool, retry }: ReadLog,
  { after, after_id, upTo, filter = {} }: Range,
  size: number,
): Promise<Stored[]> => {
  const known = after !== null && after_id !== undefined ? { after, after_id } : null;
  const values: unknown[] = [after ?? 0, upTo, known ? size + 1 : size];
  const condition = conditionOf(filter, values);
  // A range in any case: with an "or" around it, Postgres would go through the log from its start.
  const wanted = known ? `"position" >= $1 and ("position" = $1 or ${condition})` : `"position" > $1 and ${condition}`;
  const rest = `where "position" <= $2 and ${wanted} order by "position" limit $3`;
  const events = await retry(() => selectPage(pool, rest, values));
  if (!known) return events;
  const [first, ...others] = events;
  // The database was restored, or another server took over that had not got the newest transactions.
  if (first?.position !== known.after || !String(first.id).startsWith(known.after_id))
    throw unknownPosition(known.after);
  return others;
};

/** Reads the events of the range that pass the filter, page by page; the next page is fetched while one is handled. */
export async function* readLog(log: ReadLog, range: Range): AsyncGenerator<readonly RecordedEvent[]> {
  let size = FIRST_PAGE;
  let page: Promise<Stored[]> | undefined = readPage(log, range, size);
  while (page) {
    const events: Stored[] = await page;
    const last = events.at(-1);
    const isFull = events.length === size;
    size = PAGE;
    page =
      last && isFull ? readPage(log, { ...range, after: last.position, after_id: String(last.id) }, size) : undefined;
    // A reader that stops early never awaits the next page, so its failure must not be unhandled.
    page?.catch(() => undefined);
    const ours = events.filter(isOurs);
    if (ours.length > 0) yield ours;
  }
}

/** Reads the events of one stream, from `from` to `to` (inclusive), at most `limit`. */
export async function* readStream(
  { pool, retry }: ReadLog,
  stream: string,
  { from = 0, to = 2 ** 31 - 1, backwards = false, limit = Number.POSITIVE_INFINITY }: ReadStreamOptions,
): AsyncGenerator<RecordedEvent> {
  let [low, high, left] = [from, to, limit];
  while (left > 0 && low <= high) {
    const size = Math.min(PAGE, left);
    const rest = `where stream = $1 and revision between $2 and $3 order by revision ${backwards ? 'desc' : 'asc'} limit $4`;
    const events = await retry(() => selectEvents(pool, rest, [stream, low, high, size]));
    const [first] = events;
    if (!backwards && first && first.revision > low)
      throw historyDamaged(stream, `somebody has cut it: it begins at revision ${first.revision}, not at ${low}`);
    yield* events.filter(isOurs);
    const last = events.at(-1);
    if (last === undefined || events.length < size) return;
    left -= events.length;
    if (backwards) high = last.revision - 1;
    else low = last.revision + 1;
  }
}
