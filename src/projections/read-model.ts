import { type Fact, parseStream, type Recorded, toFact } from '../events/catalog.ts';
import type { RecordedEvent } from '../events/event.ts';
import type { NameKind } from '../events/name-events.ts';
import { nameKey } from '../events/name-key.ts';
import { NAME_KEY_COLUMN, type Projection, type RowStamp, reduce, STAMP_COLUMNS } from './projection.ts';

/** One row of a table, by column. */
export type Row = Readonly<Record<string, unknown>>;

/** A read model without the types of its rows and facts, as the runner handles it. */
export interface ReadModel {
  /** Also the table's name. */
  name: string;
  version: number;
  /** The primary key. */
  key: string;
  columns: readonly string[];
  /** The prefix of the streams that concern it; null for all streams. */
  streamPrefix: string | null;
  /** Where its rows have unique names. */
  name_kind: NameKind | null;
  /** Whether later events change a row, so that rows must be loaded first. */
  changesRows: boolean;
  keyOf(event: RecordedEvent): string;
  /** Pure. Applies one event to a row; null where there is no row. Throws for an event that it cannot handle. */
  next(row: Row | null, event: RecordedEvent): Row | null;
  /** Validates a row before it is stored. Throws where the reducer made a row that its schema does not allow. */
  check(row: Row): Row;
}

export const idOfStream = (stream: string): string => parseStream(stream)?.id ?? stream;

/** The fields of a row that the runner writes itself. */
const stampOf = (row: Row): Row => Object.fromEntries(STAMP_COLUMNS.map((column) => [column, row[column]]));

const nameKeyOf = ({ name_kind }: Pick<Projection, 'name_kind'>, { name }: Row): Row =>
  name_kind === undefined ? {} : { [NAME_KEY_COLUMN]: nameKey(String(name)) };

/** Converts a projection to a read model, which hides the types of its rows and facts. */
export const readModelOf = <Fields extends object, F extends Fact>(projection: Projection<Fields, F>): ReadModel => ({
  name: projection.name,
  version: projection.version,
  key: 'id',
  columns: [
    ...[...STAMP_COLUMNS, ...Object.keys(projection.row.shape)],
    ...(projection.name_kind === undefined ? [] : [NAME_KEY_COLUMN]),
  ],
  streamPrefix: `${projection.area}-`,
  name_kind: projection.name_kind ?? null,
  changesRows: true,
  keyOf: (event) => idOfStream(event.stream),
  // The casts are safe: rows come from this reducer or from the table with its validated rows; `reduce` refuses facts
  // of other areas.
  next: (row, event) =>
    reduce(projection, row as (Fields & RowStamp) | null, toFact(event) as Recorded<F>) as Row | null,
  check: (row) => ({ ...stampOf(row), ...projection.row.parse(row), ...nameKeyOf(projection, row) }),
});

export const concerns = ({ streamPrefix }: ReadModel, { stream }: RecordedEvent): boolean =>
  streamPrefix === null || stream.startsWith(streamPrefix);
