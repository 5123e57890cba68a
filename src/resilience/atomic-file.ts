import { randomUUID } from 'node:crypto';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/*
 * Why no library: write-file-atomic (8.0.0) calls `write` once and does not look at how much was written. On a disk that
 * fills up, it puts a truncated file in the place of the good one. `FileHandle.writeFile` goes on until all is written.
 */

const SUFFIX = '.part';

/** Flushes the content of a file, or the names in a folder, to disk, so that they survive a power cut. */
const flush = async (path: string): Promise<void> => {
  await using handle = await open(path, 'r');
  await handle.sync();
};

const writeNew = async (file: string, content: string): Promise<void> => {
  await using handle = await open(file, 'wx', 0o600);
  await handle.writeFile(content);
};

/**
 * Renames a finished file or folder within its file system, and replaces the file of that name. When this resolves,
 * content and name are on disk.
 */
export const moveIntoPlace = async (temporary: string, path: string): Promise<void> => {
  await flush(temporary);
  await rename(temporary, path);
  await flush(dirname(path));
};

/**
 * Writes a file that only its owner can read, whole or not at all: after a crash or on a full disk the old file stays.
 * With concurrent writers, the content of one of them stays.
 */
export const writeAtomically = async (file: string, content: string): Promise<void> => {
  const temporary = `${file}.${randomUUID()}${SUFFIX}`;
  try {
    await writeNew(temporary, content);
    await moveIntoPlace(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
};

/** Removes the unfinished writes of `file` that a crash left. The file must not be written meanwhile. */
export const clearUnfinished = async (file: string): Promise<void> => {
  const name = basename(file);
  for (const found of await readdir(dirname(file))) {
    const unfinished = found.startsWith(`${name}.`) && found.endsWith(SUFFIX);
    if (unfinished) await rm(join(dirname(file), found), { force: true });
  }
};
