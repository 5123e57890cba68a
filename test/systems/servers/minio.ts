import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'minio';
import { startChildSystem } from '../harness/child-system.ts';
import { claimFolder } from '../harness/leftover.ts';
import { keptPort } from '../harness/ports.ts';
import { keptSecret } from '../harness/secrets.ts';
import type { System } from '../harness/system.ts';
import { needTool } from '../install/tools.ts';

const ACCESS_KEY = 'budapp';

interface MinioSystem extends System {
  /** Makes the bucket of the settings, or another one; does nothing where it is there. */
  makeBucket(name?: string): Promise<void>;
}

/** A MinIO server with one disk and no bucket: as in production, whoever installs makes that. */
export const startMinio = async ({
  dir,
  bucket = 'bud-models',
}: {
  dir: string;
  bucket?: string;
}): Promise<MinioSystem> => {
  const { program, version } = await needTool('minio');
  await claimFolder(dir, 'minio');
  const port = await keptPort(dir, 'minio');
  const secretKey = await keptSecret(dir, 'minio');
  const data = join(dir, 'minio');
  await mkdir(data, { recursive: true });
  const client = new Client({ endPoint: '127.0.0.1', port, useSSL: false, accessKey: ACCESS_KEY, secretKey });
  const makeBucket = async (name = bucket): Promise<void> => {
    if (!(await client.bucketExists(name))) await client.makeBucket(name);
  };
  const system = await startChildSystem({
    name: 'minio',
    version,
    dir,
    settings: {
      MINIO_ENDPOINT: `127.0.0.1:${port}`,
      MINIO_ACCESS_KEY: ACCESS_KEY,
      MINIO_SECRET_KEY: secretKey,
      MINIO_SECURE: 'false',
      MINIO_BUCKET_NAME: bucket,
    },
    launch: {
      program,
      args: ['server', '--address', `127.0.0.1:${port}`, '--console-address', '127.0.0.1:0', '--quiet', data],
      env: {
        MINIO_ROOT_USER: ACCESS_KEY,
        MINIO_ROOT_PASSWORD: secretKey,
        MINIO_BROWSER: 'off',
        // It would ask the Internet.
        MINIO_UPDATE: 'off',
      },
      cwd: dir,
    },
    ask: () => client.listBuckets(),
  });
  return { ...system, makeBucket };
};
