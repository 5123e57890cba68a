import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

/** How long another run may take to install the same thing: the longest install compiles for several minutes. */
const PATIENCE_MS = 30 * 60_000;
const ASK_AGAIN_MS = 100;
const SQLITE_BUSY = 5;

/** `BUDAPP_SYSTEMS_CACHE`, else `budapp/systems` in the user's cache folder. */
export const cacheFolder = (): string =>
  resolve(
    process.env.BUDAPP_SYSTEMS_CACHE ||
      join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'budapp', 'systems'),
  );

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

const isBusy = (error: unknown): boolean =>
  error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;

const tryLock = (file: string): DatabaseSync | null => {
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    database.exec('begin exclusive');
    return database;
  } catch (error) {
    database.close();
    if (isBusy(error)) return null;
    throw error;
  }
};

/**
 * Does the work while no other process does any under the same file. An SQLite transaction is the lock, since the
 * operating system lets go of it when its holder ends, however that ends.
 */
export const whileLocked = async <Result>(file: string, work: () => Promise<Result>): Promise<Result> => {
  const limit = performance.now() + PATIENCE_MS;
  let lock = tryLock(file);
  while (lock === null) {
    if (performance.now() > limit) throw new Error(`another run has held ${file} for too long`);
    await delay(ASK_AGAIN_MS);
    lock = tryLock(file);
  }
  try {
    return await work();
  } finally {
    lock.close();
  }
};

/**
 * A folder of the cache by its name, such as `nats-server-2.15.2`. Where it is not there, `fill` makes it, once for all
 * concurrent runs and whole or not at all: under another name until it is filled.
 */
export const cachedFolder = async (name: string, fill: (folder: string) => Promise<void>): Promise<string> => {
  const cache = cacheFolder();
  const folder = join(cache, name);
  if (await exists(folder)) return folder;
  await mkdir(cache, { recursive: true });
  await whileLocked(join(cache, `${name}.lock`), async () => {
    if (await exists(folder)) return;
    const unfinished = join(cache, `${name}.unfinished`);
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished);
    await fill(unfinished);
    await rename(unfinished, folder);
  });
  return folder;
};
