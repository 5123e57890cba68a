import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const letters = (): string => randomBytes(16).toString('hex');

/** A random secret, of 32 letters and digits unless `make` says otherwise, remembered in `<dir>/<name>.secret`, which only its owner can read. */
export const keptSecret = async (dir: string, name: string, make = letters): Promise<string> => {
  const file = join(dir, `${name}.secret`);
  const kept = (await readFile(file, 'utf8').catch(() => '')).trim();
  if (kept !== '') return kept;
  const secret = make();
  await mkdir(dir, { recursive: true });
  await writeFile(file, `${secret}\n`, { mode: 0o600 });
  return secret;
};

/** A password that the realm's rules take: each kind of character is in it. */
export const strongPassword = (): string => `Aa1-${letters()}`;
