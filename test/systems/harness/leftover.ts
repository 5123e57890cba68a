import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { startOfProcess } from '../../../src/local/machine/process-identity.ts';

const PATIENCE_MS = 10_000;

const Identity = z.object({ pid: z.int().positive(), started: z.string() });
type Identity = z.output<typeof Identity>;
const Mark = z.object({ server: Identity, owner: Identity });

const SUFFIX = '.pid.json';
const markFile = (dir: string, name: string): string => join(dir, `${name}${SUFFIX}`);

const identityOf = async (pid: number): Promise<Identity | null> => {
  const started = await startOfProcess(pid);
  return started === null ? null : { pid, started };
};

const isAlive = async ({ pid, started }: Identity): Promise<boolean> => (await startOfProcess(pid)) === started;

/** Writes down who runs, and for whom, so that the next start can clear what a crash of this process leaves behind. */
export const markRunning = async (dir: string, name: string, pid: number): Promise<void> => {
  const [server, owner] = await Promise.all([identityOf(pid), identityOf(process.pid)]);
  if (server === null || owner === null) return;
  await writeFile(markFile(dir, name), JSON.stringify({ server, owner }));
};

export const unmark = (dir: string, name: string): Promise<void> => rm(markFile(dir, name), { force: true });

/** A signal to all processes of a system: each is started as the leader of a process group. */
export const signalGroup = (leader: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(-leader, signal);
  } catch {
    // Ended by itself first.
  }
};

/** Resolves when no process of the group is left, and with them their ports and locks. */
export const groupEnded = async (leader: number): Promise<void> => {
  const limit = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      process.kill(-leader, 0);
    } catch {
      return;
    }
    if (performance.now() > limit) throw new Error(`processes of the group ${leader} do not end`);
    await delay(5);
  }
};

/**
 * Makes `dir` this process's own for the system of that name: what a crashed run left running there is killed. Throws
 * where a live process runs the system from this folder.
 */
export const claimFolder = async (dir: string, name: string): Promise<void> => {
  await mkdir(dir, { recursive: true });
  const text = await readFile(markFile(dir, name), 'utf8').catch(() => null);
  if (text === null) return;
  const mark = Mark.safeParse(JSON.parse(text)).data;
  if (mark === undefined) return unmark(dir, name);
  const { server, owner } = mark;
  if (await isAlive(owner)) throw new Error(`${name} already runs from ${dir}, started by process ${owner.pid}`);
  if (await isAlive(server)) {
    signalGroup(server.pid, 'SIGKILL');
    await groupEnded(server.pid);
  }
  await unmark(dir, name);
};

/** Claims `dir` for all systems that ever ran from it. */
export const claimAll = async (dir: string): Promise<void> => {
  for (const name of await readdir(dir))
    if (name.endsWith(SUFFIX)) await claimFolder(dir, name.slice(0, -SUFFIX.length));
};
