import type { z } from 'zod';
import { parseInput } from '../../commands/engine/input.ts';
import { Rejected } from '../../errors.ts';

/** A parameter that occurs once becomes a text, a repeated one a list. */
const fieldsOf = (search: string): Record<string, string | string[]> => {
  const parameters = new URLSearchParams(search);
  if ([...parameters].flat().some((text) => text.includes('\0'))) {
    throw new Rejected('malformed', 'nul-character', 'The query must not contain the NUL character.');
  }
  const names = [...new Set(parameters.keys())];
  return Object.fromEntries(
    names.map((name) => {
      const values = parameters.getAll(name);
      return [name, values.length === 1 && values[0] !== undefined ? values[0] : values];
    }),
  );
};

/** Parses the query. Throws `Rejected` `malformed`, also for unknown parameters. */
export const parseQuery = <Schema extends z.ZodObject>(schema: Schema, search: string): z.output<Schema> => {
  try {
    return parseInput(schema, fieldsOf(search));
  } catch (error) {
    if (!(error instanceof Rejected)) throw error;
    const { errors } = error;
    const summary = errors.map(({ pointer, detail }) => `${pointer.slice(1)}: ${detail.replace('field', 'parameter')}`);
    throw new Rejected('malformed', 'invalid-parameter', `The query is invalid: ${summary.join('; ')}.`, {
      errors: errors.map(({ pointer, detail }) => ({ pointer, detail: detail.replace('field', 'parameter') })),
      cause: error,
    });
  }
};

/** Parses the path's parameters. A text that cannot be an id is answered like an unknown id: `Rejected` `not-found`. */
export const parseParams = <Schema extends z.ZodObject>(schema: Schema, params: unknown): z.output<Schema> => {
  const parsed = schema.safeParse(params);
  if (parsed.success) return parsed.data;
  throw new Rejected('not-found', 'not-found', 'No resource has this id.', { cause: parsed.error });
};
