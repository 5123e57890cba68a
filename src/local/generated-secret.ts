import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writePrivateFile } from './machine/private-file.ts';

const generatedSecret = async (file: string): Promise<Buffer> => {
  if (!existsSync(file)) await writePrivateFile(file, `${randomBytes(32).toString('base64')}\n`);
  const secret = Buffer.from((await readFile(file, 'utf8')).trim(), 'base64');
  if (secret.length !== 32) throw new Error(`${file} does not hold 32 bytes in base64; restore it from a backup`);
  return secret;
};

/**
 * The master key of an installation that sets no `MASTER_KEY`: 32 bytes, made at the first start. Whoever loses the
 * file loses all sealed data.
 */
export const generatedMasterKey = (dataDir: string): Promise<Buffer> => generatedSecret(join(dataDir, 'master.key'));

/** The token that `/notifications` demands where neither `APP_API_TOKEN` nor `MASTER_KEY` is set; made at the first start. */
export const generatedServiceToken = async (dataDir: string): Promise<string> =>
  (await generatedSecret(join(dataDir, 'service.token'))).toString('base64url');
