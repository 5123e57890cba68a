import type { Readable } from 'node:stream';
import { type Client, CopyDestinationOptions, CopySourceOptions } from 'minio';
import { Rejected } from '../../errors.ts';
import { newUuid } from '../../events/ids.ts';
import { cutIntoParts } from './body-parts.ts';
import { again } from './client.ts';
import type { MinioTrouble } from './failures.ts';

/** S3 wants at least 5 MiB, and at most 10,000 parts. One upload holds about three parts in memory. */
const PART_BYTES = 8 * 1024 * 1024;
const MAX_PARTS = 10_000;
/** About ten seconds: so much sent already is worth waiting for a restart of MinIO. */
const PART_RETRIES = 5;
/** Metadata of an object: its SHA-256 as lower-case hex, and which upload made it. */
const SHA256 = 'X-Amz-Meta-Sha256';
const UPLOAD = 'X-Amz-Meta-Upload';

export interface UploadTarget {
  client: Client;
  trouble: MinioTrouble;
  bucket: string;
  key: string;
}

export interface UploadOptions {
  maxBytes: number;
  sha256: string | undefined;
}

export interface Uploaded {
  size_bytes: number;
  sha256: string;
}

const assertSame = (wanted: string | undefined, { sha256 }: Uploaded): void => {
  if (wanted === undefined || wanted === sha256) return;
  throw new Rejected('invalid', 'checksum-mismatch', `The file's SHA-256 is ${sha256}, not ${wanted}.`);
};

/** A multipart upload: nothing of it is to be seen before `complete`. */
const beginMultipart = async ({ client, trouble, bucket, key }: UploadTarget, announced: string | undefined) => {
  const upload = newUuid();
  const headers = { [UPLOAD]: upload, ...(announced === undefined ? {} : { [SHA256]: announced }) };
  const uploadID = await trouble.guard(again(() => client.initiateNewMultipartUpload(bucket, key, headers)));
  const sent: { part: number; etag: string }[] = [];

  /** Whether the object that stands there is ours: its completion may have been done and not heard of. */
  const standsThere = async (): Promise<boolean> => {
    const { metaData } = await again(() => client.statObject(bucket, key));
    return metaData.upload === upload;
  };

  const finish = async (): Promise<void> => {
    try {
      await again(() => client.completeMultipartUpload(bucket, key, uploadID, sent));
    } catch (error) {
      if (!(await standsThere().catch(() => false))) throw error;
    }
  };

  return {
    async send(bytes: Buffer): Promise<void> {
      const partNumber = sent.length + 1;
      const part = { bucketName: bucket, objectName: key, uploadID, partNumber, headers: {} };
      const { etag } = await trouble.guard(again(() => client.uploadPart(part, bytes), { retries: PART_RETRIES }));
      sent.push({ part: partNumber, etag });
    },
    complete: () => trouble.guard(finish()),
    /** Leaves nothing behind; where MinIO cannot be reached it clears the parts itself, after a day. */
    abort: () => again(() => client.abortMultipartUpload(bucket, key, uploadID)).catch(() => undefined),
    /**
     * The checksum was known only at the end, and metadata belongs to the beginning: the object is copied onto itself,
     * which for MinIO is a matter of metadata alone. It says to which content it belongs, since another upload may replace
     * the object at this very moment. Without it the object is as good: whoever asks has it read again.
     */
    async noteChecksum(sha256: string): Promise<void> {
      const { etag, metaData } = await client.statObject(bucket, key);
      if (metaData.upload !== upload) return;
      const source = new CopySourceOptions({ Bucket: bucket, Object: key, MatchETag: etag });
      const UserMetadata = { sha256, 'sha256-of': etag, upload };
      const to = new CopyDestinationOptions({
        Bucket: bucket,
        Object: key,
        UserMetadata,
        MetadataDirective: 'REPLACE',
      });
      await client.copyObject(source, to);
    },
  };
};

type Multipart = Awaited<ReturnType<typeof beginMultipart>>;

/**
 * Uploads a stream whole or not at all, with bounded memory: what fits into one part in one request, anything larger as a
 * multipart upload that is aborted when something goes wrong. One part is sent while the next one comes in. Its checksum
 * is compared before the object is made. `body` is destroyed where the upload fails.
 */
export const upload = async (target: UploadTarget, body: Readable, options: UploadOptions): Promise<Uploaded> => {
  const { client, trouble, bucket, key } = target;
  const { maxBytes, sha256: announced } = options;
  const parts = cutIntoParts(body, { maxBytes, part_bytes: Math.max(PART_BYTES, Math.ceil(maxBytes / MAX_PARTS)) });
  let multipart: Multipart | null = null;
  let sending: Promise<void> = Promise.resolve();

  const putAtOnce = async (bytes: Buffer, { sha256 }: Uploaded): Promise<void> => {
    const metadata = { [SHA256]: sha256 };
    await trouble.guard(again(() => client.putObject(bucket, key, bytes, bytes.length, metadata)));
  };

  const complete = async (begun: Multipart, bytes: Buffer, { sha256 }: Uploaded): Promise<void> => {
    if (bytes.length > 0) await begun.send(bytes);
    await begun.complete();
    if (announced === undefined) await begun.noteChecksum(sha256).catch(() => undefined);
  };

  try {
    for await (const part of parts.full()) {
      multipart ??= await beginMultipart(target, announced);
      await sending;
      sending = multipart.send(part);
      // Not only at the next part, for which a slow sender may take long.
      sending.catch((error) => body.destroy(error));
    }
    await sending;
    const { bytes, ...uploaded } = parts.rest();
    assertSame(announced, uploaded);
    if (multipart === null) await putAtOnce(bytes, uploaded);
    else await complete(multipart, bytes, uploaded);
    return uploaded;
  } catch (error) {
    // Whoever sends is told at once instead of being read to the end.
    body.destroy();
    await sending.catch(() => undefined);
    await multipart?.abort();
    throw error;
  }
};
