import { constants, copyFile, link, mkdir, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { failureText } from '../../failures/failure-text.ts';
import { moveIntoPlace } from '../../resilience/atomic-file.ts';
import { type FetchArtefact, isObjectUri } from '../service/artefact-cache.ts';
import { StepFailed } from './workflows.ts';

const pathOf = (uri: string): string => {
  if (uri.startsWith('/')) return uri;
  if (!uri.startsWith('file:'))
    throw new StepFailed(`the local cluster runs uploaded ONNX artefacts only, and ${uri} is none`);
  try {
    return fileURLToPath(uri);
  } catch (cause) {
    throw new StepFailed(`${uri} is no file URI of this machine`, { cause });
  }
};

/** A link costs no space, and artefacts never change in place; another file system needs a copy. */
const linkOrCopy = async (source: string, target: string): Promise<void> => {
  try {
    await link(source, target);
  } catch {
    await copyFile(source, target, constants.COPYFILE_FICLONE);
  }
};

/**
 * Puts the artefact that `uri` names at `target`, whole or not at all; answers its size in bytes. Throws `StepFailed`
 * where it is missing, empty or cannot be read.
 */
export const transferArtefact = async (
  uri: string,
  target: string,
  { fetchArtefact, signal }: { fetchArtefact: FetchArtefact; signal: AbortSignal },
): Promise<number> => {
  const temporary = `${target}.part`;
  try {
    const source = isObjectUri(uri) ? await fetchArtefact(uri, signal) : pathOf(uri);
    const { size } = await stat(source);
    if (size === 0) throw new StepFailed(`the artefact ${uri} is empty`);
    await mkdir(dirname(target), { recursive: true });
    await rm(temporary, { force: true });
    await linkOrCopy(source, temporary);
    await moveIntoPlace(temporary, target);
    return size;
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof StepFailed) throw cause;
    throw new StepFailed(`the artefact ${uri} cannot be transferred: ${failureText(cause)}`, { cause });
  }
};
