import { type Fact, parseStream, type Recorded, toFact } from '../events/catalog.ts';
import type { RecordedEvent } from '../events/event.ts';
import { type Projection, type RowStamp, reduce, STAMP_COLUMNS } from './projection.ts';

/** One row of a table, by column. */
export type Row = Readonly<Record<string, unknown>>;

/** What the runner must know of a read model, whatever its rows are. */
export interface ReadModel {
  /** Also the table's name. */
  name: string;
  version: number;
  /** The primary key. */
  key: string;
  columns: readonly string[];
  /** Only streams whose name starts so; null: all. */
  streamPrefix: string | null;
  /** Whether rows are changed by later events, and so must be loaded before. */
  changesRows: boolean;
  keyOf(event: RecordedEvent): string;
  /** Pure: the row after one more event; null: none. Throws for an event that it cannot take in. */
  next(row: Row | null, event: RecordedEvent): Row | null;
  /** The row as it may be stored. Throws where the reducer made something that the row's schema does not allow. */
  check(row: Row): Row;
}

export const idOfStream = (stream: string): string => parseStream(stream)?.id ?? stream;

/** The part of a row that the runner writes by itself. */
const stampOf = (row: Row): Row => Object.fromEntries(STAMP_COLUMNS.map((column) => [column, row[column]]));

/** A projection as the runner sees it: the types of its rows and facts are known inside only. */
export const readModelOf = <Fields extends object, F extends Fact>(projection: Projection<Fields, F>): ReadModel => ({
  name: projection.name,
  version: projection.version,
  key: 'id',
  columns: [...STAMP_COLUMNS, ...Object.keys(projection.row.shape)],
  streamPrefix: `${projection.area}-`,
  changesRows: true,
  keyOf: (event) => idOfStream(event.stream),
  // Rows come from this reducer or from the table that its checked rows were written to; `reduce` refuses foreign facts.
  next: (row, event) =>
    reduce(projection, row as (Fields & RowStamp) | null, toFact(event) as Recorded<F>) as Row | null,
  check: (row) => ({ ...stampOf(row), ...projection.row.parse(row) }),
});

export const concerns = ({ streamPrefix }: ReadModel, { stream }: RecordedEvent): boolean =>
  streamPrefix === null || stream.startsWith(streamPrefix);
