import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeAtomically } from '../../resilience/atomic-file.ts';

/** Writes a file that only its owner can read, whole or not at all, and makes the folder for it. */
export const writePrivateFile = async (file: string, content: string): Promise<void> => {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeAtomically(file, content);
};
