import type { Sealed } from '../events/sealed.ts';

/** A text that cannot be opened: it was tampered with, it is no sealed text, or its subject never had a key here. */
export class SealedUnreadable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SealedUnreadable';
  }
}

/** Seals and opens personal data and secrets, each with the key of one subject. */
export interface Vault {
  /** Loads or creates the subject's key. Sealing itself is synchronous, so that `decide` can do it. */
  sealer(subject: string): Promise<(text: string) => Sealed>;
  /** The clear text; null once the subject's key is erased. Throws `SealedUnreadable`. */
  open(sealed: Sealed): Promise<string | null>;
  /** Deletes the key: texts sealed with it can never be opened again. */
  erase(subject: string): Promise<void>;
}
