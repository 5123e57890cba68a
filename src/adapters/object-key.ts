import { Rejected } from '../errors.ts';

const KEY = /^[\w-][\w.-]{0,199}(\/[\w-][\w.-]{0,199})*$/;
const LONGEST_KEY = 512;

/** Throws `Rejected` `invalid` for an invalid object key; the rules are the same for every object store. */
export const assertObjectKey = (key: string): void => {
  if (key.length <= LONGEST_KEY && KEY.test(key)) return;
  throw new Rejected(
    'invalid',
    'invalid-object-key',
    'An object key is letters, digits, "_", "-", "." and "/", without "..".',
  );
};
