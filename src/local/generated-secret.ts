import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writePrivateFile } from './machine/private-file.ts';

const generatedSecret = async (file: string): Promise<string> => {
  if (!existsSync(file)) await writePrivateFile(file, `${randomBytes(32).toString('base64')}\n`);
  const secret = (await readFile(file, 'utf8')).trim();
  if (Buffer.from(secret, 'base64').length === 32) return secret;
  throw new Error(`${file} does not hold 32 bytes in base64; restore it from a backup`);
};

/**
 * The master key of an installation that sets no `MASTER_KEY`: 32 bytes, made at the first start. Whoever loses the
 * file loses all sealed data.
 */
export const generatedMasterKey = async (dataDir: string): Promise<Buffer> =>
  Buffer.from(await generatedSecret(join(dataDir, 'master.key')), 'base64');

/**
 * The token that `/notifications` demands where neither `APP_API_TOKEN` nor `MASTER_KEY` is set: the text in the file, made
 * at the first start.
 */
export const generatedServiceToken = (dataDir: string): Promise<string> =>
  generatedSecret(join(dataDir, 'service.token'));
