import { open, realpath, stat } from 'node:fs/promises';
import { basename, isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type FetchArtefact, isObjectUri } from './artefact-cache.ts';
import { StepFailed } from './workflows.ts';

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

/** What is to be known of an artefact: no more of it is read than its beginning. */
interface Beginning {
  size_bytes: number;
  first_byte: number | undefined;
}

export const readBeginning = async (path: string): Promise<Beginning> => {
  const file = await open(path);
  try {
    const { size: size_bytes } = await file.stat();
    const { bytesRead, buffer } = await file.read(Buffer.alloc(1), 0, 1, 0);
    return { size_bytes, first_byte: bytesRead === 1 ? buffer[0] : undefined };
  } finally {
    await file.close();
  }
};
