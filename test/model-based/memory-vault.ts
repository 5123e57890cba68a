import { Sealed, subjectOf } from '../../src/events/sealed.ts';
import type { Vault } from '../../src/ports/vault.ts';

/** Keeps the form of sealed texts, not their secrecy. */
export const createMemoryVault = (): Vault => {
  const erased = new Set<string>();
  return {
    sealer: async (subject) => (text) =>
      Sealed.parse(`sealed:1:${subject}:iv:tag:${Buffer.from(text).toString('base64url')}`),
    open: async (sealed) =>
      erased.has(subjectOf(sealed)) ? null : Buffer.from(sealed.split(':').at(-1) ?? '', 'base64url').toString(),
    erase: async (subject) => {
      erased.add(subject);
    },
  };
};
