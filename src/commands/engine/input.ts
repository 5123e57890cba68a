import type { z } from 'zod';
import { Rejected } from '../../errors.ts';

const pointerOf = (path: readonly PropertyKey[]): string =>
  path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

/** Parses the input. Throws `Rejected` `invalid` with a pointer to every error. */
export const parseInput = <Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> => {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const errors = result.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ pointer: pointerOf([...issue.path, key]), detail: 'unknown field' }))
      : [{ pointer: pointerOf(issue.path), detail: issue.message }],
  );
  const summary = errors.map(({ pointer, detail }) => `${pointer || '/'}: ${detail}`).join('; ');
  throw new Rejected('invalid', 'invalid-input', `The input is invalid: ${summary}.`, {
    errors,
    cause: result.error,
  });
};
