import { open, realpath, stat } from 'node:fs/promises';
import { basename, isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ArtefactBeginning, BEGINNING_BYTES } from '../engine/engine.ts';
import { type FetchArtefact, isObjectUri } from './artefact-cache.ts';
import { StepFailed } from './step-failed.ts';

/** The path that a `file:` URI or an absolute path names; null for every other reference. */
const diskPathOf = (uri: string): string | null => {
  if (isAbsolute(uri)) return uri;
  if (!uri.startsWith('file:')) return null;
  try {
    return fileURLToPath(uri);
  } catch {
    return null;
  }
};

interface FindOptions {
  /** Brings what an `s3://` reference names to this machine. */
  fetchArtefact?: FetchArtefact;
  signal?: AbortSignal;
}

/** The regular file behind a reference, links resolved. Throws `StepFailed` where there is none that can be read. */
export const findRegularFile = async (
  uri: string,
  { fetchArtefact, signal }: FindOptions = {},
): Promise<{ path: string; size_bytes: number }> => {
  const named = fetchArtefact && isObjectUri(uri) ? await fetchArtefact(uri, signal) : diskPathOf(uri);
  if (named === null) throw new StepFailed(`${uri} is neither an absolute path nor a file: or s3: URI`);
  try {
    const path = await realpath(named);
    const stats = await stat(path);
    if (!stats.isFile()) throw new StepFailed(`${basename(named)} is not a file`);
    await (await open(path)).close();
    return { path, size_bytes: stats.size };
  } catch (error) {
    if (error instanceof StepFailed) throw error;
    throw new StepFailed(`${basename(named)} cannot be read`, { cause: error });
  }
};

/** What engines are shown of a file. */
export const readBeginning = async (path: string): Promise<ArtefactBeginning> => {
  const file = await open(path);
  try {
    const { size: size_bytes } = await file.stat();
    const { bytesRead, buffer } = await file.read(Buffer.alloc(BEGINNING_BYTES), 0, BEGINNING_BYTES, 0);
    return { name: basename(path), size_bytes, first_bytes: buffer.subarray(0, bytesRead) };
  } finally {
    await file.close();
  }
};
