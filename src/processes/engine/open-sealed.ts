import { isSealed } from '../../events/sealed.ts';
import type { Vault } from '../../ports/vault.ts';

/** A secret that a call needs was erased, so the call can never be made again. */
export class SecretErased extends Error {
  constructor() {
    super('a secret that is needed has been erased');
    this.name = 'SecretErased';
  }
}

/** Opens all sealed text in the value, and answers whether there was any. Throws `SecretErased`. */
export const openSealed = async (value: unknown, vault: Vault): Promise<{ opened: unknown; secret: boolean }> => {
  let secret = false;
  const open = async (part: unknown): Promise<unknown> => {
    if (isSealed(part)) {
      secret = true;
      const text = await vault.open(part);
      if (text === null) throw new SecretErased();
      return text;
    }
    if (Array.isArray(part)) return Promise.all(part.map(open));
    if (typeof part !== 'object' || part === null) return part;
    const entries = Object.entries(part).map(async ([name, inner]) => [name, await open(inner)] as const);
    return Object.fromEntries(await Promise.all(entries));
  };
  return { opened: await open(value), secret };
};
