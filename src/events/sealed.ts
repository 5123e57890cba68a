import { z } from 'zod';
import { withoutUserInfo } from './user-info.ts';

/**
 * An encrypted text, since its clear text must never be in the log: `sealed:1:<subject>:<iv>:<tag>:<ciphertext>`,
 * AES-256-GCM under the key of `subject` (a user's or a cluster's id), base64url parts. Deleting the subject's key
 * erases the text everywhere. `sealed:2:` is the same with a text that was compressed before (deflate): so large that it would
 * not fit into the log otherwise.
 */
export const Sealed = z
  .string()
  .regex(/^sealed:[12]:[^:]+:[\w-]+:[\w-]+:[\w-]*$/)
  .brand<'Sealed'>();
export type Sealed = z.output<typeof Sealed>;

const COMPRESSED = /^sealed:2:[^:]+:[\w-]{16}:[\w-]{22}:/;

export const isSealed = (value: unknown): value is Sealed =>
  typeof value === 'string' && (value.startsWith('sealed:1:') || COMPRESSED.test(value));

export const isCompressed = (sealed: Sealed): boolean => COMPRESSED.test(sealed);

/** The subject whose key opens the text. */
export const subjectOf = (sealed: Sealed): string => sealed.split(':')[2] ?? '';

/** The value with all sealed texts in it masked, and URLs without passwords, as people may see it. */
export const withoutSealed = (value: unknown): unknown => {
  if (isSealed(value)) return '(sealed)';
  if (typeof value === 'string') return withoutUserInfo(value);
  if (Array.isArray(value)) return value.map(withoutSealed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withoutSealed(item)]));
};
