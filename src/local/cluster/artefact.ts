import { constants, copyFile, link, mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { failureText } from '../../failures/failure-text.ts';
import { moveIntoPlace } from '../../resilience/atomic-file.ts';
import type { Engine } from '../engine/engine.ts';
import type { Engines } from '../engine/engines.ts';
import { type FetchArtefact, isObjectUri } from '../service/artefact-cache.ts';
import { readBeginning } from '../service/disk-path.ts';
import { StepFailed } from '../service/step-failed.ts';

/** Throws `StepFailed` where the reference names no file of this machine. */
const pathOf = (uri: string, engines: Engines): string => {
  if (uri.startsWith('/')) return uri;
  if (!uri.startsWith('file:')) throw noArtefact(uri, engines);
  try {
    return fileURLToPath(uri);
  } catch (cause) {
    throw new StepFailed(`${uri} is no file URI of this machine`, { cause });
  }
};

const noArtefact = (uri: string, { titles }: Engines): StepFailed =>
  new StepFailed(`the local cluster runs uploaded ${titles} artefacts only, and ${uri} is none`);

/** Links the file, which costs no space, since artefacts never change; another file system needs a copy. */
const linkOrCopy = async (source: string, target: string): Promise<void> => {
  try {
    await link(source, target);
  } catch {
    await copyFile(source, target, constants.COPYFILE_FICLONE);
  }
};

interface Transfer {
  /** The artefact's reference. */
  uri: string;
  signal: AbortSignal;
}

const asStepFailed = async <Result>({ uri, signal }: Transfer, work: () => Promise<Result>): Promise<Result> => {
  try {
    return await work();
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof StepFailed) throw cause;
    throw new StepFailed(`the artefact ${uri} cannot be transferred: ${failureText(cause)}`, { cause });
  }
};

export interface FoundArtefact {
  path: string;
  size_bytes: number;
  /** The engine that accepts the artefact. */
  engine: Engine;
}

/**
 * Finds what a reference names, on this machine or in the object storage. Throws `StepFailed` where it is missing, empty,
 * cannot be read, or no engine takes it.
 */
export const findArtefact = (
  transfer: Transfer,
  { fetchArtefact, engines }: { fetchArtefact: FetchArtefact; engines: Engines },
): Promise<FoundArtefact> =>
  asStepFailed(transfer, async () => {
    const { uri, signal } = transfer;
    const path = isObjectUri(uri) ? await fetchArtefact(uri, signal) : pathOf(uri, engines);
    const beginning = await readBeginning(path);
    if (beginning.size_bytes === 0) throw new StepFailed(`the artefact ${uri} is empty`);
    const engine = engines.findFor(beginning);
    if (engine === undefined) throw noArtefact(uri, engines);
    return { path, size_bytes: beginning.size_bytes, engine };
  });

/** Puts the file `from` at `to`, whole or not at all. Throws `StepFailed`. */
export const placeArtefact = (transfer: Transfer, { from, to }: { from: string; to: string }): Promise<void> =>
  asStepFailed(transfer, async () => {
    const temporary = `${to}.part`;
    await mkdir(dirname(to), { recursive: true });
    await rm(temporary, { force: true });
    await linkOrCopy(from, temporary);
    await moveIntoPlace(temporary, to);
  });
