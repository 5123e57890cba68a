import { randomUUID } from 'node:crypto';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/*
 * Why no library: write-file-atomic (8.0.0) calls `write` once and does not look at how much was written. On a disk that
 * fills up, it puts a truncated file in the place of the good one. `FileHandle.writeFile` goes on until all is written.
 */

const SUFFIX = '.part';

/** Makes what was written to a file, or which names a folder has, outlast a power cut. */
const flush = async (path: string): Promise<void> => {
  await using handle = await open(path, 'r');
  await handle.sync();
};

const writeNew = async (file: string, content: string): Promise<void> => {
  await using handle = await open(file, 'wx', 0o600);
  await handle.writeFile(content);
};

/**
 * Gives a finished file or folder its final name in the same file system, in the place of the file that has it. When this
 * resolves, content and name are on disk.
 */
export const moveIntoPlace = async (temporary: string, path: string): Promise<void> => {
  await flush(temporary);
  await rename(temporary, path);
  await flush(dirname(path));
};

/**
 * Writes a file that only its owner can read, whole or not at all: a crash or a full disk leaves the old one. Several
 * writers at once leave the content of one of them.
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

/** Removes what a crash left of unfinished writes of `file`; while nobody writes it. */
export const clearUnfinished = async (file: string): Promise<void> => {
  const name = basename(file);
  for (const found of await readdir(dirname(file))) {
    const unfinished = found.startsWith(`${name}.`) && found.endsWith(SUFFIX);
    if (unfinished) await rm(join(dirname(file), found), { force: true });
  }
};
