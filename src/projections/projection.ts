import type { z } from 'zod';
import type { Area, Fact, Recorded } from '../events/catalog.ts';
import type { Position } from '../events/event.ts';

/**
 * What every row of a read model has besides its own fields. A row folds exactly one stream, so that any resource can
 * be rebuilt as it was at any time from that stream alone.
 */
export interface RowStamp {
  id: string;
  tenant_id: string;
  /** Revision of the stream that the row shows; the resource's ETag. */
  revision: number;
  /** Position of the last event in the row. */
  position: Position;
  created_at: string;
  updated_at: string;
}

/** The columns of `RowStamp`. */
export const STAMP_COLUMNS = ['id', 'tenant_id', 'revision', 'position', 'created_at', 'updated_at'] as const;

/** What a reducer makes of one event: the row's own fields afterwards. */
export type Reducer<Row, F extends Fact> = (row: Row, event: Recorded<F>) => Row;
/** The first event of a stream has no row yet. */
export type Creator<Row, F extends Fact> = (row: Row | null, event: Recorded<F>) => Row;

/**
 * One case for every fact of the area: a new fact does not compile until each read model has an opinion about it.
 * `First` are the facts that begin a stream.
 */
export type Cases<Row, F extends Fact, First extends F['type']> = {
  [Type in F['type']]: Type extends First
    ? Creator<Row, Extract<F, { type: Type }>>
    : Reducer<Row, Extract<F, { type: Type }>>;
};

/** A schema of one object, so that its fields are known as columns. */
export type RowSchema<Row> = z.ZodType<Row> & { shape: Readonly<Record<string, z.ZodType>> };

/** A read model: one table, one row a stream of `area`, and the pure reducer that makes the row. */
export interface Projection<Row extends object = object, F extends Fact = Fact, First extends F['type'] = never> {
  /** Also the table's name. */
  name: string;
  area: Area;
  /** Raised when the reducer changes: the table is then rebuilt beside the old one, and swapped. */
  version: number;
  /** The row's own fields, as they are stored and shown; `RowStamp` comes on top. Sealed text stays sealed. */
  row: RowSchema<Row>;
  on: Cases<Row, F, First>;
}

export const projection = <Row extends object, F extends Fact, First extends F['type']>(
  definition: Projection<Row, F, First>,
): Projection<Row, F, First> => definition;

/**
 * Pure: the row after one more event; null while there is no row (an abandoned creation makes none). The same code
 * serves the runner, `as_of` reads and tests.
 */
export const reduce = <Row extends object, F extends Fact>(
  { on }: Projection<Row, F>,
  row: (Row & RowStamp) | null,
  event: Recorded<F>,
): (Row & RowStamp) | null => {
  if ((event.type as string) === 'CreationAbandoned') return row;
  // The mapped type guarantees a case for each type; TypeScript cannot see that it is the case of this very event.
  const apply = on[event.type as F['type']] as unknown as Creator<Row, F> | undefined;
  if (!apply) throw new Error(`${event.type} in ${event.stream} is no fact of this read model`);
  if (!row && event.revision > 0) throw new Error(`${event.stream} has no row for ${event.type} to change`);
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
