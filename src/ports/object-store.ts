import type { Readable } from 'node:stream';

export interface StoredObject {
  key: string;
  size_bytes: number;
  /** Lower-case hex. */
  sha256: string;
}

/** Stores artefacts: model files and datasets. Keys look like paths. */
export interface ObjectStore {
  /**
   * Writes the whole stream or nothing. Throws `Rejected`: `too-large` (over `maxBytes`), `invalid` with code
   * `checksum-mismatch` (against `sha256`), `unavailable` with code `storage-full` or `storage-unavailable`.
   */
  put(key: string, body: Readable, options: { maxBytes: number; sha256?: string }): Promise<StoredObject>;
  /** Throws `Rejected` `not-found` where there is no such object. */
  get(key: string): Promise<Readable>;
  find(key: string): Promise<StoredObject | null>;
  /** Removes an object; does nothing where there is none. */
  remove(key: string): Promise<void>;
  /** The value of `model_uri` for the model service, for example a file path or an s3 URL. */
  uri(key: string): string;
}
