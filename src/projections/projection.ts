import type { z } from 'zod';
import type { Area, Fact, Recorded } from '../events/catalog.ts';
import type { Position } from '../events/event.ts';
import type { NameKind } from '../events/name-events.ts';

/**
 * The fields that every row of a read model has besides its own. A row folds exactly one stream, so that any resource
 * can be replayed as of any time from that stream alone.
 */
export interface RowStamp {
  id: string;
  tenant_id: string;
  /** Revision of the stream up to which the row is folded; the resource's ETag. */
  revision: number;
  /** Position of the row's last event. */
  position: Position;
  created_at: string;
  updated_at: string;
}

/** The columns of `RowStamp`. */
export const STAMP_COLUMNS = ['id', 'tenant_id', 'revision', 'position', 'created_at', 'updated_at'] as const;

/** Returns the row's own fields after one event. */
export type Reducer<Row, F extends Fact> = (row: Row, event: Recorded<F>) => Row;
/** As `Reducer`, for the first event of a stream, which has no row yet. */
export type Creator<Row, F extends Fact> = (row: Row | null, event: Recorded<F>) => Row;

/** One case per fact of the area: a new fact does not compile until each read model handles it. */
export type Cases<Row, F extends Fact, First extends F['type']> = {
  [Type in F['type']]: Type extends First
    ? Creator<Row, Extract<F, { type: Type }>>
    : Reducer<Row, Extract<F, { type: Type }>>;
};

/** The schema of an object, whose fields are the columns. */
export type RowSchema<Row> = z.ZodType<Row> & { shape: Readonly<Record<string, z.ZodType>> };

/** A read model: one table with one row per stream of `area`, and the pure reducer that makes the row. */
export interface Projection<Row extends object = object, F extends Fact = Fact, First extends F['type'] = never> {
  /** Also the table's name. */
  name: string;
  area: Area;
  /** Increased when the reducer changes: the table is then rebuilt beside the old one, and swapped. */
  version: number;
  /** The row's own fields, as stored and shown, without those of `RowStamp`. Sealed texts stay sealed. */
  row: RowSchema<Row>;
  /** Where names of the area are unique: their keys are a column besides, by which lists are filtered. */
  name_kind?: NameKind;
  on: Cases<Row, F, First>;
}

/** The column with the key of the name (`nameKey`); null in a row that the release before this column wrote. */
export const NAME_KEY_COLUMN = 'name_key';

export const projection = <Row extends object, F extends Fact, First extends F['type']>(
  definition: Projection<Row, F, First>,
): Projection<Row, F, First> => definition;

/**
 * Pure. Applies one event to a row; null while there is no row (an abandoned creation makes none). The runner, `as_of`
 * reads and tests all use it.
 */
export const reduce = <Row extends object, F extends Fact>(
  { on }: Projection<Row, F>,
  row: (Row & RowStamp) | null,
  event: Recorded<F>,
): (Row & RowStamp) | null => {
  if ((event.type as string) === 'CreationAbandoned') return row;
  // The mapped type guarantees a case for each type, but TypeScript cannot match the case to this event.
  const apply = on[event.type as F['type']] as unknown as Creator<Row, F> | undefined;
  if (!apply) throw new Error(`${event.type} in ${event.stream} is not a fact of this read model`);
  if (!row && event.revision > 0) throw new Error(`${event.stream} has no row that ${event.type} could change`);
  const fields = apply(row, event);
  return {
    ...fields,
    id: event.stream.slice(event.stream.indexOf('-') + 1),
    tenant_id: event.meta.tenant_id,
    revision: event.revision,
    position: event.position,
    created_at: row?.created_at ?? event.at,
    updated_at: event.at,
  };
};
