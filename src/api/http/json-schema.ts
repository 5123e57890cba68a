import { z } from 'zod';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** JSON Schema 2020-12 of a schema's `input` or `output`. */
export const jsonSchemaOf = (schema: z.ZodType, io: 'input' | 'output'): JsonSchema => {
  const { $schema: _dialect, ...converted } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io,
    // A value that JSON Schema cannot describe (a transformed one) is left open.
    unrepresentable: 'any',
    reused: 'inline',
  });
  return converted;
};
