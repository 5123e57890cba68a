import { createHash } from 'node:crypto';
import { type FragmentSqlToken, type PrimitiveValueExpression, sql } from 'slonik';
import { z } from 'zod';
import { Rejected } from '../../errors.ts';
import { nameKey } from '../../events/name-key.ts';
import type { Projection, RowSchema } from '../projection.ts';
import { columnSchemaOf } from './row-schema.ts';

/** A value that PostgreSQL can compare directly. */
type Scalar = string | number | boolean;

const SCALARS = new Set(['string', 'enum', 'number', 'int', 'boolean', 'literal']);

const invalid = (code: string, message: string, pointer: string): Rejected =>
  new Rejected('invalid', code, message, { errors: [{ pointer, detail: message }] });

const withoutNull = (schema: z.ZodType): z.ZodType =>
  schema instanceof z.ZodNullable && schema.def.innerType instanceof z.ZodType ? schema.def.innerType : schema;

const isScalar = (schema: z.ZodType): boolean => SCALARS.has(schema.def.type);

const listOf = (schema: z.ZodType): boolean => schema instanceof z.ZodArray;

/** Parses a value from the query, which is always text, by the column's schema. */
const parseValue = (schema: z.ZodType, name: string, text: string): Scalar => {
  const readings: Scalar[] = [text];
  if (text === 'true' || text === 'false') readings.push(text === 'true');
  if (text !== '' && Number.isFinite(Number(text))) readings.push(Number(text));
  const value = readings.find((reading) => schema.safeParse(reading).success);
  if (value !== undefined) return value;
  throw invalid('invalid-filter', `"${text}" is not a valid ${name}.`, `/${name}`);
};

const any = (conditions: readonly FragmentSqlToken[]): FragmentSqlToken =>
  sql.fragment`(${sql.join(conditions, sql.fragment` or `)})`;

const isOneOf = (expression: FragmentSqlToken, values: readonly Scalar[]): FragmentSqlToken =>
  any(values.map((value) => sql.fragment`${expression} = ${value}`));

/** Finds a field in an object column: `target_id` is the `id` in the object `target`. */
const findNested = (
  row: RowSchema<unknown>,
  name: string,
): { expression: FragmentSqlToken; schema: z.ZodType } | null => {
  const [column = '', ...rest] = name.split('_');
  const field = rest.join('_');
  const schema = columnSchemaOf(row, column);
  if (!(schema instanceof z.ZodObject)) return null;
  const inner: unknown = Object.hasOwn(schema.shape, field) ? schema.shape[field] : null;
  if (!(inner instanceof z.ZodType) || !isScalar(inner)) return null;
  return { expression: sql.fragment`${sql.identifier([column])} ->> ${sql.literalValue(field)}`, schema: z.string() };
};

const conditionOf = (row: RowSchema<unknown>, name: string, wanted: string | readonly string[]): FragmentSqlToken => {
  const texts = typeof wanted === 'string' ? [wanted] : wanted;
  const found = columnSchemaOf(row, name);
  const column = sql.fragment`${sql.identifier([name])}`;
  // An empty list matches nothing.
  if (texts.length === 0) return sql.fragment`false`;
  if (found && listOf(found)) return sql.fragment`${column} @> ${sql.jsonb(texts)}`;
  const schema = found && withoutNull(found);
  if (schema && isScalar(schema)) {
    return isOneOf(
      column,
      texts.map((text) => parseValue(schema, name, text)),
    );
  }
  const nested = findNested(row, name);
  if (nested) return isOneOf(sql.fragment`(${nested.expression})`, texts);
  throw invalid('unknown-filter', `There is no filter ${name}.`, `/${name}`);
};

const namedSo = (names: string | readonly string[]): FragmentSqlToken => {
  const texts = [names].flat();
  const before = sql.fragment`name_key is null and name = any(${sql.array(texts, 'text')})`;
  return sql.fragment`(name_key = any(${sql.array(texts.map(nameKey), 'text')}) or (${before}))`;
};

export type Filter = Readonly<Record<string, string | readonly string[]>>;

/**
 * Several values of one name are alternatives; all names must match. A name that is unique is compared by its key. Deleted
 * resources are left out unless the filter names a status.
 */
export const filterConditions = (
  { row, name_kind }: Pick<Projection, 'row' | 'name_kind'>,
  filter: Filter,
): FragmentSqlToken[] => {
  const conditions = Object.entries(filter).map(([name, wanted]) =>
    name === 'name' && name_kind !== undefined ? namedSo(wanted) : conditionOf(row, name, wanted),
  );
  const hides = columnSchemaOf(row, 'status') !== undefined && filter.status === undefined;
  return hides ? [...conditions, sql.fragment`status <> 'deleted'`] : conditions;
};

export interface SortKey {
  column: string;
  descending: boolean;
}

/** Parses `-created_at,name`. The id is added as the last key, to make the order of equal rows fixed. */
export const parseSort = (row: RowSchema<unknown>, sort: string): SortKey[] => {
  const keys = sort.split(',').map((part) => {
    const column = part.replace(/^[-+]/, '');
    const schema = columnSchemaOf(row, column);
    // A keyset cannot compare null, so nullable columns cannot be sorted by.
    if (!schema || !isScalar(schema))
      throw invalid('unknown-sort', `The list cannot be sorted by "${column}".`, '/sort');
    return { column, descending: part.startsWith('-') };
  });
  const descending = keys.at(-1)?.descending ?? false;
  return keys.some(({ column }) => column === 'id') ? keys : [...keys, { column: 'id', descending }];
};

export const orderBy = (keys: readonly SortKey[]): FragmentSqlToken => {
  const parts = keys.map(({ column, descending }) =>
    descending ? sql.fragment`${sql.identifier([column])} desc` : sql.fragment`${sql.identifier([column])} asc`,
  );
  return sql.fragment`order by ${sql.join(parts, sql.fragment`, `)}`;
};

const beyondKey = ({ column, descending }: SortKey, value: PrimitiveValueExpression): FragmentSqlToken =>
  descending
    ? sql.fragment`${sql.identifier([column])} < ${value}`
    : sql.fragment`${sql.identifier([column])} > ${value}`;

/**
 * The condition for rows after the one with these values: greater in the first key, or equal in it and greater in the
 * second, and so on.
 */
export const afterCondition = (keys: readonly SortKey[], values: readonly Scalar[]): FragmentSqlToken => {
  const names = sql.join(
    keys.map(({ column }) => sql.identifier([column])),
    sql.fragment`, `,
  );
  const given = sql.join([...values], sql.fragment`, `);
  // A comparison of rows, possible where all directions are the same, can use an index.
  if (keys.every(({ descending }) => descending)) return sql.fragment`(${names}) < (${given})`;
  if (keys.every(({ descending }) => !descending)) return sql.fragment`(${names}) > (${given})`;
  return any(
    keys.map((key, index) => {
      const equal = keys
        .slice(0, index)
        .map(({ column }, before) => sql.fragment`${sql.identifier([column])} = ${values[before] ?? null}`);
      const last = beyondKey(key, values[index] ?? null);
      return sql.fragment`(${sql.join([...equal, last], sql.fragment` and `)})`;
    }),
  );
};

const CursorContent = z.tuple([z.string(), z.array(z.union([z.string(), z.number(), z.boolean()])).min(1)]);

/** The hash of the list that a cursor belongs to: name, sort and filters. */
export const digestOf = (list: unknown): string =>
  createHash('sha256').update(JSON.stringify(list)).digest('base64url').slice(0, 16);

export const encodeCursor = (digest: string, keys: readonly SortKey[], row: object): string => {
  const fields = new Map<string, unknown>(Object.entries(row));
  const content = CursorContent.parse([digest, keys.map(({ column }) => fields.get(column))]);
  return Buffer.from(JSON.stringify(content)).toString('base64url');
};

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** Throws `Rejected` `invalid` for a malformed cursor, or one of another list. */
export const decodeCursor = (
  cursor: string,
  { digest, keys, row }: { digest: string; keys: readonly SortKey[]; row: RowSchema<unknown> },
): Scalar[] => {
  const parsed = CursorContent.safeParse(parseJson(Buffer.from(cursor, 'base64url').toString()));
  const values = parsed.data?.[1] ?? [];
  const fits =
    parsed.data?.[0] === digest &&
    values.length === keys.length &&
    keys.every(({ column }, index) => columnSchemaOf(row, column)?.safeParse(values[index]).success);
  if (fits) return values;
  throw new Rejected('invalid', 'invalid-cursor', 'The cursor does not belong to this list.', {
    hint: 'A cursor continues the same list with the same sort and filters; start again without it.',
    errors: [{ pointer: '/cursor', detail: 'does not belong to this list' }],
  });
};
