import type { Sealed } from '../events/sealed.ts';

/** Seals and opens personal data and secrets, each with the key of one subject. */
export interface Vault {
  /** Loads or creates the subject's key. Sealing itself is synchronous, so that `decide` can do it. */
  sealer(subject: string): Promise<(text: string) => Sealed>;
  /** The clear text; null once the subject's key is erased. Throws where the text was tampered with. */
  open(sealed: Sealed): Promise<string | null>;
  /** Deletes the key: texts sealed with it can never be opened again. */
  erase(subject: string): Promise<void>;
}
