import type { Pool, QueryConfig } from 'pg';
import pg from 'pg';
import { Rejected } from '../../errors.ts';
import type { Position } from '../../events/event.ts';
import type { Standing } from '../../ports/log.ts';
import type { Stored } from '../plain-envelope.ts';
import { queryWithin } from './connection.ts';

/** The table of the log, and the channel on which a commit is announced with the newest position. */
export const LOG_TABLE = 'log_events';
export const LOG_CHANNEL = 'log_events';

/** Enough for every safe integer, so that positions sort as text. */
const POSITION_DIGITS = 16;

const toPosition = (position: string): string => position.padStart(POSITION_DIGITS, '0');

const isPosition = (text: string): text is Position => /^\d{16}$/.test(text);

/** The position in a notification; null where it has none. */
export const parsePosition = (payload: string | undefined): Position | null => {
  const position = toPosition(payload ?? '');
  return payload && isPosition(position) ? position : null;
};

/** Refuses a position of another log or a malformed one: `Rejected` `invalid`, code `unknown-position`. */
export const checkPosition = (position: Position): Position => {
  if (isPosition(position)) return position;
  throw new Rejected('invalid', 'unknown-position', `${position} is not a position of this log.`);
};

const parseTimestamp = pg.types.getTypeParser(pg.types.builtins.TIMESTAMPTZ);

/** Converts `2026-01-31 12:00:00.25+00` to RFC 3339 with milliseconds. */
const toTime = (text: string): string => {
  // Runs once per event when a whole log is read; a conversion via Date takes five times as long.
  if (text.length >= 23 && text.length <= 26 && text.endsWith('+00') && text[19] === '.')
    return `${text.slice(0, 10)}T${text.slice(11, -3).padEnd(12, '0')}Z`;
  const time: unknown = parseTimestamp(text);
  // Somebody else's row may have a time that is none, such as `infinity`.
  return time instanceof Date && Number.isFinite(time.getTime()) ? time.toISOString() : text;
};

/** Type parsers that return rows in the form of the port, without a second pass. */
export const types: NonNullable<QueryConfig['types']> = {
  getTypeParser: (oid: number) => {
    switch (oid) {
      case pg.types.builtins.INT8:
        return toPosition;
      case pg.types.builtins.INT4:
        return Number;
      case pg.types.builtins.JSON:
        return JSON.parse;
      case pg.types.builtins.TIMESTAMPTZ:
        return toTime;
      default:
        return String;
    }
  },
};

const EVENT_COLUMNS = 'id, stream, revision, "position", type, version, data, meta, at';

const selection = (rest: string, values: readonly unknown[]): QueryConfig => ({
  text: `select ${EVENT_COLUMNS} from ${LOG_TABLE} ${rest}`,
  values: [...values],
  types,
});

/**
 * Runs `select <the columns of an event> from log_events <rest>`, with a time-out. Rows that somebody else has inserted
 * are among them: see `isOurs`.
 */
export const selectEvents = async (pool: Pool, rest: string, values: readonly unknown[]): Promise<Stored[]> =>
  (await queryWithin<Stored>(pool, selection(rest, values))).rows;

/**
 * As `selectEvents`, for background reads of many pages: without a time-out, since a pending timer makes reading many
 * rows a quarter slower.
 */
export const selectPage = async (pool: Pool, rest: string, values: readonly unknown[]): Promise<Stored[]> =>
  (await pool.query<Stored>(selection(rest, values))).rows;

/** Position and id of the newest event; null where the log is empty. */
export const selectNewest = async (pool: Pool): Promise<{ position: Position; id: string } | null> => {
  const text = `select "position", id from ${LOG_TABLE} order by "position" desc limit 1`;
  const { rows } = await queryWithin<{ position: Position; id: string }>(pool, { text, types });
  return rows[0] ?? null;
};

/** The position of the newest event; null where the log is empty. */
export const selectHead = async (pool: Pool): Promise<Position | null> => {
  const text = `select max("position") as head from ${LOG_TABLE}`;
  const { rows } = await queryWithin<{ head: Position | null }>(pool, { text, types });
  return rows[0]?.head ?? null;
};

/** What is at a position. */
export const selectStanding = async (pool: Pool, position: Position): Promise<Standing> => {
  const text = `select id, "position" from ${LOG_TABLE} where "position" >= $1 order by "position" limit 1`;
  const { rows } = await queryWithin<{ id: string; position: Position }>(pool, { text, values: [position], types });
  const [next] = rows;
  if (!next) return 'beyond-end';
  return next.position === position ? { id: next.id } : 'none';
};
