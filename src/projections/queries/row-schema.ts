import { z } from 'zod';
import { Position } from '../../events/event.ts';
import type { Projection, RowSchema, RowStamp } from '../projection.ts';

/** A row with its own fields and the stamp. */
export type Stamped<Row> = Row & RowStamp;

const stamp = {
  id: z.uuid(),
  tenant_id: z.uuid(),
  revision: z.int(),
  position: Position,
  created_at: z.string(),
  updated_at: z.string(),
};

const schemas = new WeakMap<RowSchema<unknown>, z.ZodType>();

/** The schema of a stamped row. */
export const rowSchemaOf = <Row extends object>({
  row,
}: Pick<Projection<Row, never>, 'row'>): z.ZodType<Stamped<Row>> => {
  const known = schemas.get(row);
  const schema = known ?? z.object({ ...stamp, ...row.shape });
  if (!known) schemas.set(row, schema);
  // The cast is safe: `row.shape` is the shape of `Row` by the definition of a projection.
  return schema as z.ZodType<Stamped<Row>>;
};

/** The schema of one column; undefined where there is no such column. */
export const columnSchemaOf = (row: RowSchema<unknown>, column: string): z.ZodType | undefined => {
  const columns: Readonly<Record<string, z.ZodType>> = { ...stamp, ...row.shape };
  return Object.hasOwn(columns, column) ? columns[column] : undefined;
};
