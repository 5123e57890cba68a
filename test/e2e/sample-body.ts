import { randomUUID } from 'node:crypto';

export type JsonSchema = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The value with every field whose name is in `ids` set to that id. */
const withIds = (value: unknown, ids: Readonly<Record<string, string>>): unknown => {
  if (Array.isArray(value)) return value.map((item) => withIds(item, ids));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, ids[name] ?? withIds(field, ids)]));
};

/** `^(model|project):(view|manage)$` is matched by `model:view`. */
const firstOf = (pattern: string): string =>
  pattern.replaceAll(/^\^|\$$/g, '').replaceAll(/\(([^()|]*)\|[^()]*\)/g, '$1');

const textOf = ({ format, minLength, pattern }: JsonSchema): string => {
  if (format === 'uuid') return randomUUID();
  if (format === 'date-time') return new Date().toISOString();
  if (format === 'uri') return 'https://example.org/';
  if (typeof pattern === 'string' && new RegExp(pattern).test(firstOf(pattern))) return firstOf(pattern);
  return 'sample'.padEnd(Number(minLength ?? 0), '-');
};

/**
 * A value that the schema takes, with what stands in `ids` wherever a field has that name; `undefined` where the schema
 * wants nothing. Optional fields are left out, except those in `ids`.
 */
const sample = (schema: JsonSchema, ids: Readonly<Record<string, string>>): unknown => {
  if ('const' in schema) return schema.const;
  if (Array.isArray(schema.enum)) return schema.enum[0];
  const choices = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(choices)) return sample(choices[0], ids);
  if (isObject(schema.properties)) {
    const required = Array.isArray(schema.required) ? schema.required : [];
    const fields = Object.entries(schema.properties).filter(([name]) => required.includes(name) || name in ids);
    return Object.fromEntries(fields.map(([name, field]) => [name, ids[name] ?? sample(field as JsonSchema, ids)]));
  }
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (type === 'array') return isObject(schema.items) ? [sample(schema.items, ids)] : [];
  if (type === 'integer' || type === 'number') return Math.max(1, Number(schema.minimum ?? 1));
  if (type === 'boolean') return false;
  return type === 'string' ? textOf(schema) : {};
};

interface Content {
  schema: JsonSchema;
  example?: unknown;
}

/** A body that a route takes, which names what `ids` names. */
export const sampleBody = ({ schema, example }: Content, ids: Readonly<Record<string, string>>): unknown => {
  const sampled = sample(schema, ids);
  return isObject(example) && isObject(sampled) ? { ...sampled, ...(withIds(example, ids) as object) } : sampled;
};
