import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { claimAll } from '../harness/leftover.ts';

const MARK = '.budapp-systems';

/** Makes the folder one of ours. Throws where it holds anything else. */
export const useFolder = async (dir: string): Promise<void> => {
  await mkdir(dir, { recursive: true });
  const names = await readdir(dir);
  if (names.length > 0 && !names.includes(MARK)) throw new Error(`${dir} holds something else; name another folder`);
  await writeFile(
    join(dir, MARK),
    'Data of the systems that `npm run systems` runs. It may be removed while they are stopped.\n',
  );
};

/** Removes the data of earlier runs. Throws where one is still running, and where the folder is not ours. */
export const removeFolder = async (dir: string): Promise<void> => {
  await useFolder(dir);
  await claimAll(dir);
  await rm(dir, { recursive: true });
};

/** Writes the settings, which hold passwords, as `.env` files have them; answers the file. */
export const writeEnvironment = async (dir: string, settings: Readonly<Record<string, string>>): Promise<string> => {
  const file = join(dir, 'env');
  const lines = Object.entries(settings).map(([name, value]) => `${name}='${value}'\n`);
  await writeFile(file, lines.join(''), { mode: 0o600 });
  return file;
};
