import { z } from 'zod';

export type JsonSchema = Readonly<Record<string, unknown>>;

const JsonTuple = z.object({ prefixItems: z.array(z.unknown()), items: z.unknown(), minItems: z.int().optional() });

const different = (schemas: readonly unknown[]): unknown[] => [
  ...new Map(schemas.map((schema) => [JSON.stringify(schema), schema])).values(),
];

/**
 * Describes a tuple as an array of a fixed length whose items are of any of its kinds: generators of clients fail at
 * `prefixItems`, or ignore it.
 */
const withoutPositions = (schema: z.core.JSONSchema.BaseSchema): void => {
  const tuple = JsonTuple.safeParse(schema);
  if (!tuple.success) return;
  const { prefixItems, items: rest, minItems = prefixItems.length } = tuple.data;
  const isOpen = typeof rest === 'object' && rest !== null;
  const kinds = different(isOpen ? [...prefixItems, rest] : prefixItems);
  delete schema.prefixItems;
  Object.assign(schema, {
    items: kinds.length === 1 ? kinds[0] : { anyOf: kinds },
    minItems,
    ...(isOpen ? {} : { maxItems: prefixItems.length }),
  });
};

/** JSON Schema 2020-12 of a schema's `input` or `output`. */
export const jsonSchemaOf = (schema: z.ZodType, io: 'input' | 'output'): JsonSchema => {
  const { $schema: _dialect, ...converted } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io,
    // A value that JSON Schema cannot describe (a transformed one) is left open.
    unrepresentable: 'any',
    reused: 'inline',
    override: ({ jsonSchema }) => withoutPositions(jsonSchema),
  });
  return converted;
};
