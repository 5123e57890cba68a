import type { Readable } from 'node:stream';
import { type Client, CopyDestinationOptions, CopySourceOptions } from 'minio';
import { Rejected } from '../../errors.ts';
import { newUuid } from '../../events/ids.ts';
import { cutIntoParts } from './body-parts.ts';
import { withRetries } from './client.ts';
import type { MinioFailures } from './failures.ts';

/** S3 demands parts of at least 5 MiB, and at most 10,000 of them. One upload holds about three parts in memory. */
const PART_BYTES = 8 * 1024 * 1024;
const MAX_PARTS = 10_000;
/** Retries within about ten seconds, enough for a restart of MinIO: so much has been sent already. */
const PART_RETRIES = 5;
/** Metadata of an object: its SHA-256 as lower-case hex, and which upload made it. */
const SHA256 = 'X-Amz-Meta-Sha256';
const UPLOAD = 'X-Amz-Meta-Upload';

export interface UploadTarget {
  client: Client;
  failures: MinioFailures;
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

/** A multipart upload: it is invisible until `complete`. */
const beginMultipart = async ({ client, failures, bucket, key }: UploadTarget, announced: string | undefined) => {
  const upload = newUuid();
  const headers = { [UPLOAD]: upload, ...(announced === undefined ? {} : { [SHA256]: announced }) };
  const uploadID = await failures.guard(withRetries(() => client.initiateNewMultipartUpload(bucket, key, headers)));
  const sent: { part: number; etag: string }[] = [];

  /** Whether the stored object is that of this upload: it may be complete although the answer was lost. */
  const isStored = async (): Promise<boolean> => {
    const { metaData } = await withRetries(() => client.statObject(bucket, key));
    return metaData.upload === upload;
  };

  const finish = async (): Promise<void> => {
    try {
      await withRetries(() => client.completeMultipartUpload(bucket, key, uploadID, sent));
    } catch (error) {
      if (!(await isStored().catch(() => false))) throw error;
    }
  };

  return {
    async send(bytes: Buffer): Promise<void> {
      const partNumber = sent.length + 1;
      const part = { bucketName: bucket, objectName: key, uploadID, partNumber, headers: {} };
      const { etag } = await failures.guard(
        withRetries(() => client.uploadPart(part, bytes), { retries: PART_RETRIES }),
      );
      sent.push({ part: partNumber, etag });
    },
    complete: () => failures.guard(finish()),
    /** Removes the parts. Where MinIO cannot be reached now, it removes them itself after a day. */
    abort: () => withRetries(() => client.abortMultipartUpload(bucket, key, uploadID)).catch(() => undefined),
    /**
     * Adds the checksum to the metadata. S3 takes metadata only at the beginning of an upload, when the checksum is not
     * known yet, so the object is copied onto itself; MinIO then writes the metadata only. `sha256-of` names the
     * content, since another upload may replace the object at the same moment. Where this fails, `find` reads the
     * object for its checksum.
     */
    async storeChecksum(sha256: string): Promise<void> {
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
 * Uploads a stream whole or not at all, with bounded memory. A body that fits into one part is sent in one request; a
 * larger one as a multipart upload, which is aborted where anything fails. One part is sent while the next one is read.
 * The checksum is compared before the object becomes visible. `body` is destroyed where the upload fails.
 */
export const upload = async (target: UploadTarget, body: Readable, options: UploadOptions): Promise<Uploaded> => {
  const { client, failures, bucket, key } = target;
  const { maxBytes, sha256: announced } = options;
  const parts = cutIntoParts(body, { maxBytes, part_bytes: Math.max(PART_BYTES, Math.ceil(maxBytes / MAX_PARTS)) });
  let multipart: Multipart | null = null;
  let sending: Promise<void> = Promise.resolve();

  const putAtOnce = async (bytes: Buffer, { sha256 }: Uploaded): Promise<void> => {
    const metadata = { [SHA256]: sha256 };
    await failures.guard(withRetries(() => client.putObject(bucket, key, bytes, bytes.length, metadata)));
  };

  const complete = async (begun: Multipart, bytes: Buffer, { sha256 }: Uploaded): Promise<void> => {
    if (bytes.length > 0) await begun.send(bytes);
    await begun.complete();
    if (announced === undefined) await begun.storeChecksum(sha256).catch(() => undefined);
  };

  try {
    for await (const part of parts.full()) {
      multipart ??= await beginMultipart(target, announced);
      await sending;
      sending = multipart.send(part);
      // Ends the reading at once, and not only at the next part, which a slow client may take long to send.
      sending.catch((error) => body.destroy(error));
    }
    await sending;
    const { bytes, ...uploaded } = parts.rest();
    assertSame(announced, uploaded);
    if (multipart === null) await putAtOnce(bytes, uploaded);
    else await complete(multipart, bytes, uploaded);
    return uploaded;
  } catch (error) {
    // The client gets the refusal at once, and need not send the rest.
    body.destroy();
    await sending.catch(() => undefined);
    await multipart?.abort();
    throw error;
  }
};
