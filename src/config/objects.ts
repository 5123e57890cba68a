import { z } from 'zod';
import { missingCompanions, missingLeader } from './companions.ts';
import type { Given } from './given.ts';
import { boolean, hostAndPort, integer } from './setting-kinds.ts';

const TEBIBYTE = 2 ** 40;

/** Where model files are kept: MinIO, or anything that speaks S3. */
export const MinioSettings = z.object({
  MINIO_ENDPOINT: hostAndPort.optional(),
  MINIO_ACCESS_KEY: z.string().optional(),
  MINIO_SECRET_KEY: z.string().optional(),
  MINIO_SECURE: boolean.prefault('false'),
  MINIO_BUCKET_NAME: z.string().default('bud-models'),
});

export const minioOf = (env: z.output<typeof MinioSettings>) =>
  env.MINIO_ENDPOINT === undefined
    ? null
    : {
        endpoint: env.MINIO_ENDPOINT,
        access_key: env.MINIO_ACCESS_KEY ?? '',
        secret_key: env.MINIO_SECRET_KEY ?? '',
        secure: env.MINIO_SECURE,
        bucket: env.MINIO_BUCKET_NAME,
      };

export const ObjectsSettings = z.object({
  ...MinioSettings.shape,
  MAX_UPLOAD_SIZE: integer(1, TEBIBYTE).prefault('5368709120'),
});

export const objectsOf = (env: z.output<typeof ObjectsSettings>) => ({
  /** null: objects on this machine's disk. */
  minio: minioOf(env),
  max_upload_bytes: env.MAX_UPLOAD_SIZE,
});

const COMPANIONS = ['MINIO_ACCESS_KEY', 'MINIO_SECRET_KEY'];

export const objectsRules = (given: Given): string[] => [
  ...missingCompanions(given, 'MINIO_ENDPOINT', COMPANIONS),
  ...missingLeader(given, 'MINIO_ENDPOINT', COMPANIONS),
];
