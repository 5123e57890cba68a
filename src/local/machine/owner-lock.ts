import { open, readFile, rm } from 'node:fs/promises';
import { z } from 'zod';
import { codeOf } from '../../failures/failure-code.ts';
import type { Closable } from '../../ports/closable.ts';
import { startOfProcess } from './process-identity.ts';

const Owner = z.object({ pid: z.int().positive(), started: z.string() });

const findOwner = async (file: string): Promise<z.output<typeof Owner> | null> => {
  try {
    return Owner.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    // The lock file was truncated by a crash, or has been removed in the meantime.
    return null;
  }
};

const write = async (file: string): Promise<boolean> => {
  try {
    await using handle = await open(file, 'wx', 0o600);
    await handle.writeFile(JSON.stringify({ pid: process.pid, started: await startOfProcess(process.pid) }));
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
};

/**
 * Makes this process the only owner of a folder until it closes the lock or ends, however it ends. Throws where another
 * live process owns it.
 */
export const lockOwner = async (file: string, folder: string): Promise<Closable> => {
  if (!(await write(file))) {
    const owner = await findOwner(file);
    if (owner && (await startOfProcess(owner.pid)) === owner.started)
      throw new Error(
        `${folder} is in use by another BudApp (process ${owner.pid}). Stop that one, or set DATA_DIR to another folder.`,
      );
    await rm(file, { force: true });
    if (!(await write(file)))
      throw new Error(`${folder} has just been taken by another BudApp. Set DATA_DIR to another folder.`);
  }
  return { close: () => rm(file, { force: true }) };
};
