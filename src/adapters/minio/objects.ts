import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { BucketItemStat, Client } from 'minio';
import type { Logger } from 'pino';
import { z } from 'zod';
import { notFound } from '../../errors.ts';
import { codeOf } from '../../failures/failure-code.ts';
import type { ObjectStore, StoredObject } from '../../ports/object-store.ts';
import { assertObjectKey } from '../object-key.ts';
import { createMinioClient, type MinioConnection, withRetries } from './client.ts';
import { createMinioFailures, unusable } from './failures.ts';
import { upload } from './upload.ts';

const IDLE_MS = 20_000;
const HASHES_KEPT = 1_000;
/** An object that is never stored. Reading it, and beginning an upload to it, shows what the keys permit. */
const PROBE = 'health/probe';

const Metadata = z.object({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** The ETag of the content that the hash belongs to, where the hash was added after the upload. */
  'sha256-of': z.string().optional(),
});

export interface MinioObjectsOptions extends MinioConnection {
  logger?: Logger;
  /** Milliseconds without a byte after which a connection is closed. */
  idle_ms?: number;
}

/** The hash in the object's metadata; undefined where there is none, or where it belongs to another content. */
const notedHash = ({ metaData, etag }: BucketItemStat): string | undefined => {
  const noted = Metadata.safeParse(metaData).data;
  return (noted?.['sha256-of'] ?? etag) === etag ? noted?.sha256 : undefined;
};

const isMissing = (error: unknown): boolean => codeOf(error) === 'NoSuchKey';

/** Reads, and begins an upload, with the same requests as later work. Throws `SystemUnusable`. */
const assertUsable = async (client: Client, settings: MinioConnection): Promise<void> => {
  const { bucket } = settings;
  try {
    const found = await client.getObject(bucket, PROBE).catch((error: unknown) => {
      if (isMissing(error)) return null;
      throw error;
    });
    found?.destroy();
    await client.abortMultipartUpload(bucket, PROBE, await client.initiateNewMultipartUpload(bucket, PROBE, {}));
  } catch (error) {
    throw unusable(error, settings);
  }
};

/**
 * Objects in one bucket of MinIO, or of another store that speaks S3. The bucket must exist (`mc mb`): if BudApp
 * created it, a misspelt name would look like a store that has lost everything. The keys must permit `s3:ListBucket`,
 * `s3:GetObject`, `s3:PutObject`, `s3:DeleteObject` and `s3:AbortMultipartUpload`. The object's metadata holds its
 * SHA-256; an object without it, which somebody else stored, is read to compute it. The rest of an upload that a crash
 * ended is invisible: MinIO removes it after a day (`stale_uploads_expiry`), in another store a lifecycle rule must
 * (`AbortIncompleteMultipartUpload`). Throws `SystemUnusable`.
 */
export const createMinioObjects = async (options: MinioObjectsOptions): Promise<ObjectStore> => {
  const { bucket, logger, idle_ms = IDLE_MS } = options;
  const client = createMinioClient(options, { idle_ms });
  const failures = createMinioFailures(options, logger);
  await assertUsable(client, options);
  const hashes = new LRUCache<string, string>({ max: HASHES_KEPT });

  const read = (key: string) =>
    withRetries(() => client.getObject(bucket, key)).catch((error: unknown) => {
      throw isMissing(error) ? notFound('object', key) : error;
    });

  const statOf = async (key: string): Promise<BucketItemStat | null> => {
    try {
      return await withRetries(() => client.statObject(bucket, key));
    } catch (error) {
      if (codeOf(error) !== 'NotFound') throw error;
    }
    // The answer to HEAD is the same for a missing object and a missing bucket. Only GET tells them apart.
    return withRetries(() => client.getObject(bucket, key)).then(
      (found) => {
        found.destroy();
        return null;
      },
      (error: unknown) => {
        if (isMissing(error)) return null;
        throw error;
      },
    );
  };

  const hashOf = async (key: string): Promise<string> => {
    const hash = createHash('sha256');
    for await (const chunk of await client.getObject(bucket, key)) hash.update(chunk);
    return hash.digest('hex');
  };

  const find = async (key: string): Promise<StoredObject | null> => {
    const found = await statOf(key);
    if (found === null) return null;
    const { size: size_bytes, etag } = found;
    const name = `${etag}/${size_bytes}`;
    const noted = notedHash(found) ?? hashes.get(name);
    if (noted !== undefined) return { key, size_bytes, sha256: noted };
    const sha256 = await hashOf(key);
    const now = await statOf(key);
    // The object was replaced while it was read.
    if (now?.etag !== etag) return find(key);
    hashes.set(name, sha256);
    return { key, size_bytes, sha256 };
  };

  return {
    async put(key, body, { maxBytes, sha256 }) {
      assertObjectKey(key);
      const target = { client, failures, bucket, key };
      return { key, ...(await upload(target, body, { maxBytes, sha256: sha256?.toLowerCase() })) };
    },
    async get(key) {
      assertObjectKey(key);
      return failures.guard(read(key));
    },
    async find(key) {
      assertObjectKey(key);
      return failures.guard(find(key));
    },
    async remove(key) {
      assertObjectKey(key);
      await failures.guard(withRetries(() => client.removeObject(bucket, key)));
    },
    uri(key) {
      assertObjectKey(key);
      return `s3://${bucket}/${key}`;
    },
  };
};
