import { readdir, readFile } from 'node:fs/promises';

interface ProcessEntry {
  pid: number;
  parent: number;
  command: readonly string[];
}

const readEntry = async (pid: number): Promise<ProcessEntry | null> => {
  try {
    const [command, stat] = await Promise.all([
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
      readFile(`/proc/${pid}/stat`, 'utf8'),
    ]);
    // "pid (name) state parent ...": the name may hold spaces and brackets, so count from its end.
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    return { pid, parent, command: command.split('\0') };
  } catch {
    return null; // gone in the meantime
  }
};

const listProcesses = async (): Promise<ProcessEntry[]> => {
  let names: string[];
  try {
    names = await readdir('/proc');
  } catch {
    return []; // not Linux: there the replicas' own watchdog has to do
  }
  const entries = await Promise.all(names.filter((name) => /^\d+$/.test(name)).map((name) => readEntry(Number(name))));
  return entries.filter((entry) => entry !== null);
};

const valueAfter = (command: readonly string[], option: string): string | undefined => {
  const index = command.indexOf(option);
  return index < 0 ? undefined : command[index + 1];
};

/**
 * Kills processes that an earlier run has left: they have this service's marker, and their parent is no longer the one
 * that started them. Returns their pids. Replicas of a running service are not touched.
 */
export const clearOrphans = async (marker: string): Promise<number[]> => {
  const orphans = (await listProcesses()).filter(
    ({ command, parent }) =>
      valueAfter(command, '--marker') === marker && valueAfter(command, '--parent') !== String(parent),
  );
  return orphans.flatMap(({ pid }) => {
    try {
      process.kill(pid, 'SIGKILL');
      return [pid];
    } catch {
      return []; // ended by itself first
    }
  });
};
