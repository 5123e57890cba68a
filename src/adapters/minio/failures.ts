import { S3Error } from 'minio';
import type { Logger } from 'pino';
import { Rejected, SystemUnusable } from '../../errors.ts';
import { codeOf } from '../../failures/failure-code.ts';
import { createOutage } from '../../resilience/outage.ts';
import { tlsFaultOf } from '../certificates.ts';
import { type MinioConnection, MinioTimeout } from './client.ts';

const RETRY_AFTER_SECONDS = 5;
const FULL = new Set(['XMinioStorageFull', 'XMinioAdminBucketQuotaExceeded', 'QuotaExceeded']);

const KEYS = ['MINIO_ACCESS_KEY', 'MINIO_SECRET_KEY'];
const ADDRESS = ['MINIO_ENDPOINT', 'MINIO_SECURE'];

/** The problem, the settings to check, and whether waiting can help. */
interface Diagnosis {
  problem: string;
  settings: readonly string[];
  transient: boolean;
}

const lasting = (problem: string, settings: readonly string[]): Diagnosis => ({ problem, settings, transient: false });
const transient = (problem: string): Diagnosis => ({ problem, settings: ADDRESS, transient: true });

const refusalOf = (code: string, { bucket }: MinioConnection): Diagnosis => {
  switch (code) {
    case 'InvalidAccessKeyId':
      return lasting('does not know the access key', KEYS);
    case 'SignatureDoesNotMatch':
      return lasting('refuses the secret key', KEYS);
    case 'RequestTimeTooSkewed':
    case 'RequestExpired':
      return lasting('says that the clocks differ by more than 15 minutes', ["this machine's clock", "MinIO's clock"]);
    case 'NoSuchBucket':
      return lasting(`has no bucket "${bucket}", and BudApp makes none`, ['MINIO_BUCKET_NAME']);
    case 'InvalidBucketName':
    case 'InvalidBucketNameError':
      return lasting(`rejects "${bucket}" as a bucket name`, ['MINIO_BUCKET_NAME']);
    case 'AccessDenied':
      return lasting(`does not let these keys list, read, write and delete in bucket "${bucket}"`, [
        ...KEYS,
        'MINIO_BUCKET_NAME',
      ]);
    default:
      return transient(`cannot be used now (${code || 'no reason given'})`);
  }
};

const diagnose = (error: unknown, settings: MinioConnection): Diagnosis => {
  const code = codeOf(error);
  if (error instanceof S3Error) return refusalOf(code, settings);
  if (error instanceof MinioTimeout) return transient('does not answer');
  if (error instanceof Error && error.name === 'InvalidBucketNameError')
    return refusalOf('InvalidBucketName', settings);
  const fault = tlsFaultOf(code, { plain: 'MINIO_SECURE=false' });
  if (fault) return lasting(fault.problem, [...ADDRESS, ...fault.settings]);
  return transient(`cannot be reached (${code || 'it does not speak S3'})`);
};

/** The error of a start that cannot use MinIO. */
export const unusable = (error: unknown, settings: MinioConnection): SystemUnusable => {
  const { problem, ...options } = diagnose(error, settings);
  return new SystemUnusable('MinIO', `at ${settings.endpoint} ${problem}`, { ...options, cause: error });
};

/** Converts failures of MinIO to the port's refusals, and logs one line whenever the problem changes. */
export const createMinioFailures = (settings: MinioConnection, logger: Logger | undefined) => {
  const outage = createOutage<Diagnosis & { error: unknown }>({
    logger,
    failing: ({ problem, settings: look_at, error }) => ({
      message: `MinIO ${problem}. Look at ${look_at.join(', ')}.`,
      fields: { err: error, look_at },
    }),
    working: 'MinIO can be used again',
  });

  const refusal = (error: unknown): Rejected => {
    const options = { retryAfterSeconds: RETRY_AFTER_SECONDS, cause: error };
    if (FULL.has(codeOf(error))) {
      const full = lasting(`has no room left for bucket "${settings.bucket}"`, ["MinIO's disks and quotas"]);
      outage.failed({ ...full, error });
      return new Rejected('unavailable', 'storage-full', 'The object storage is full.', {
        hint: 'Free some space in the object storage, then try again.',
        ...options,
      });
    }
    outage.failed({ ...diagnose(error, settings), error });
    return new Rejected('unavailable', 'storage-unavailable', 'The object storage cannot be used.', options);
  };

  return {
    /** Waits for work on MinIO and converts its failures to refusals; passes a `Rejected` on unchanged. */
    async guard<Result>(work: Promise<Result>): Promise<Result> {
      try {
        const result = await work;
        outage.ok();
        return result;
      } catch (error) {
        throw error instanceof Rejected ? error : refusal(error);
      }
    },
  };
};

export type MinioFailures = ReturnType<typeof createMinioFailures>;
