import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { Rejected } from '../../errors.ts';

export interface BodyParts {
  /** Parts of exactly `part_bytes`, in order. Stops reading as soon as the body is larger than `maxBytes`. */
  full(): AsyncIterable<Buffer>;
  /** The bytes after the last full part, and size and hash of the whole; to be called once `full` has ended. */
  rest(): { bytes: Buffer; size_bytes: number; sha256: string };
}

/**
 * Cuts a stream into parts, counting and hashing. Throws `Rejected` `too-large` over `maxBytes`, else what the stream
 * throws.
 */
export const cutIntoParts = (body: Readable, options: { part_bytes: number; maxBytes: number }): BodyParts => {
  const { part_bytes, maxBytes } = options;
  const hash = createHash('sha256');
  let size_bytes = 0;
  let held: Buffer[] = [];
  let held_bytes = 0;

  const take = (bytes: Buffer): void => {
    size_bytes += bytes.length;
    if (size_bytes > maxBytes) {
      throw new Rejected('too-large', 'upload-too-large', `The file is larger than ${maxBytes} bytes.`);
    }
    hash.update(bytes);
    held.push(bytes);
    held_bytes += bytes.length;
  };

  return {
    async *full() {
      for await (const chunk of body) {
        take(Buffer.from(chunk));
        if (held_bytes < part_bytes) continue;
        const all = Buffer.concat(held);
        let start = 0;
        for (; start + part_bytes <= all.length; start += part_bytes) yield all.subarray(start, start + part_bytes);
        const left = all.subarray(start);
        held = left.length > 0 ? [Buffer.from(left)] : [];
        held_bytes = left.length;
      }
    },
    rest: () => ({ bytes: Buffer.concat(held), size_bytes, sha256: hash.digest('hex') }),
  };
};
