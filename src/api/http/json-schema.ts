import { z } from 'zod';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** JSON Schema 2020-12 of what a schema takes (`input`) or gives (`output`). */
export const jsonSchemaOf = (schema: z.ZodType, io: 'input' | 'output'): JsonSchema => {
  const { $schema: _dialect, ...converted } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io,
    // What JSON Schema cannot say (a transformed value) is left open rather than said wrongly.
    unrepresentable: 'any',
    reused: 'inline',
  });
  return converted;
};
