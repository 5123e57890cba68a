import { createHash } from 'node:crypto';
import type { BucketItemStat, Client } from 'minio';
import type { Logger } from 'pino';
import { z } from 'zod';
import { notFound } from '../../errors.ts';
import type { ObjectStore, StoredObject } from '../../ports/object-store.ts';
import { codeOf } from '../failure-code.ts';
import { createLru } from '../lru.ts';
import { assertObjectKey } from '../object-key.ts';
import { again, createMinioClient, type MinioSettings } from './client.ts';
import { createMinioTrouble, unusable } from './failures.ts';
import { upload } from './upload.ts';

const IDLE_MS = 20_000;
const HASHES_KEPT = 1_000;
/** Never written; asking for it, and beginning to write it, shows what the keys are allowed. */
const PROBE = 'health/probe';

const Metadata = z.object({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** The ETag of the content that it belongs to, where it was noted afterwards. */
  'sha256-of': z.string().optional(),
});

export interface MinioObjectsOptions extends MinioSettings {
  logger?: Logger;
  /** A connection on which nothing moves for so long is given up. Milliseconds. */
  idle_ms?: number;
}

/** What an upload of ours has noted; undefined where nothing is noted, or for another content. */
const notedHash = ({ metaData, etag }: BucketItemStat): string | undefined => {
  const noted = Metadata.safeParse(metaData).data;
  return (noted?.['sha256-of'] ?? etag) === etag ? noted?.sha256 : undefined;
};

const isMissing = (error: unknown): boolean => codeOf(error) === 'NoSuchKey';

/** Reads, and begins to write, as everything later will. */
const assertUsable = async (client: Client, settings: MinioSettings): Promise<void> => {
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
 * Objects in one bucket of MinIO, or of another store that speaks S3. The bucket must be there (`mc mb`): a misspelt name
 * that was made on the spot would look like a store that has lost everything. The keys must be allowed `s3:ListBucket`,
 * `s3:GetObject`, `s3:PutObject`, `s3:DeleteObject` and `s3:AbortMultipartUpload`. SHA-256 is kept as metadata of the object;
 * an object without it, put there by somebody else, is read to learn it. What a crash leaves of an upload cannot be seen;
 * MinIO clears it after a day (`stale_uploads_expiry`), elsewhere a lifecycle rule must (`AbortIncompleteMultipartUpload`).
 * Throws `SystemUnusable`.
 */
export const createMinioObjects = async (options: MinioObjectsOptions): Promise<ObjectStore> => {
  const { bucket, logger, idle_ms = IDLE_MS } = options;
  const client = createMinioClient(options, { idle_ms });
  const trouble = createMinioTrouble(options, logger);
  await assertUsable(client, options);
  const hashes = createLru<string, string>({ max: HASHES_KEPT });

  const read = (key: string) =>
    again(() => client.getObject(bucket, key)).catch((error: unknown) => {
      throw isMissing(error) ? notFound('object', key) : error;
    });

  const statOf = async (key: string): Promise<BucketItemStat | null> => {
    try {
      return await again(() => client.statObject(bucket, key));
    } catch (error) {
      if (codeOf(error) !== 'NotFound') throw error;
    }
    // A HEAD does not tell a missing object from a missing bucket, which is no answer but a fault.
    return again(() => client.getObject(bucket, key)).then(
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
    // Replaced while it was read.
    if (now?.etag !== etag) return find(key);
    hashes.set(name, sha256);
    return { key, size_bytes, sha256 };
  };

  return {
    async put(key, body, { maxBytes, sha256 }) {
      assertObjectKey(key);
      const target = { client, trouble, bucket, key };
      return { key, ...(await upload(target, body, { maxBytes, sha256: sha256?.toLowerCase() })) };
    },
    async get(key) {
      assertObjectKey(key);
      return trouble.guard(read(key));
    },
    async find(key) {
      assertObjectKey(key);
      return trouble.guard(find(key));
    },
    async remove(key) {
      assertObjectKey(key);
      await trouble.guard(again(() => client.removeObject(bucket, key)));
    },
    uri(key) {
      assertObjectKey(key);
      return `s3://${bucket}/${key}`;
    },
  };
};
