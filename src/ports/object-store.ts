import type { Readable } from 'node:stream';

export interface StoredObject {
  key: string;
  size_bytes: number;
  /** Lower-case hex. */
  sha256: string;
}

/** Keeps artefacts: model files and datasets. Keys look like paths. */
export interface ObjectStore {
  /**
   * Writes the whole stream or nothing. Throws `Rejected`: `too-large` (over `maxBytes`), `invalid` with code
   * `checksum-mismatch` (against `sha256`), `unavailable` with code `storage-full` or `storage-unavailable`.
   */
  put(key: string, body: Readable, options: { maxBytes: number; sha256?: string }): Promise<StoredObject>;
  /** Throws `Rejected` `not-found` where there is no such object. */
  get(key: string): Promise<Readable>;
  find(key: string): Promise<StoredObject | null>;
  /** Deleting what is not there is fine. */
  remove(key: string): Promise<void>;
  /** What the model service is given as `model_uri`, for example a file path or an s3 URL. */
  uri(key: string): string;
}
