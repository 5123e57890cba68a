import { execFile } from 'node:child_process';
import { readFile, readlink } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

const ps = async (pid: number, column: string): Promise<string | null> => {
  try {
    const { stdout } = await run('ps', ['-ww', '-o', `${column}=`, '-p', String(pid)]);
    return stdout.trim() || null;
  } catch {
    return null;
  }
};

/**
 * When the process was started, as opaque text; null where there is no such process (or it is a zombie). A pid alone says little: the
 * system gives it to another process once it is free.
 */
export const startOfProcess = async (pid: number): Promise<string | null> => {
  if (process.platform !== 'linux') return ps(pid, 'lstart');
  try {
    // The name in parentheses may hold blanks and parentheses itself; the state follows it, the start is field 22.
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
};

/** Whether the process runs in this folder (or, where the system does not tell, names it on its command line). */
export const runsIn = async (pid: number, folder: string): Promise<boolean> => {
  if (process.platform !== 'linux') return (await ps(pid, 'command'))?.includes(folder) ?? false;
  try {
    return (await readlink(`/proc/${pid}/cwd`)) === folder;
  } catch {
    return false;
  }
};
