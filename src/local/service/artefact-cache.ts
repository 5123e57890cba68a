import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pRetry from 'p-retry';
import { Rejected } from '../../errors.ts';
import { failureText } from '../../failures/failure-text.ts';
import type { ObjectStore, StoredObject } from '../../ports/object-store.ts';
import { moveIntoPlace } from '../../resilience/atomic-file.ts';
import { type ArtefactBeginning, BEGINNING_BYTES } from '../engine/engine.ts';
import { StepFailed } from './step-failed.ts';

/** The object storage of BudApp, as the local services read it. */
export type ArtefactStore = Pick<ObjectStore, 'find' | 'get' | 'uri'>;

/** The path of a file on this machine that holds what an `s3://` reference names. Throws `StepFailed`. */
export type FetchArtefact = (uri: string, signal?: AbortSignal) => Promise<string>;

const UNUSED_MS = 3_600_000;
/** Retries for about fifteen seconds, so that a restart of the object storage does not fail a deployment. */
const RETRIES = 5;
const FIRST_RETRY_MS = 500;

export const isObjectUri = (uri: string): boolean => uri.startsWith('s3:');

const isTransient = (error: unknown): boolean =>
  !(error instanceof StepFailed) && !(error instanceof Rejected && error.kind !== 'unavailable');

const keyIn = (store: ArtefactStore, uri: string): string => {
  const key = /^s3:\/\/[^/]+\/(.+)$/.exec(uri)?.[1];
  try {
    if (key !== undefined && store.uri(key) === uri) return key;
  } catch (cause) {
    throw new StepFailed(`${uri} names no object`, { cause });
  }
  throw new StepFailed(`${uri} is not in the object storage that this service is connected to`);
};

/** Again for a while where the object storage cannot be reached; whatever it ends with is a reason for the user. */
const trying = async <Result>(uri: string, work: () => Promise<Result>, signal?: AbortSignal): Promise<Result> => {
  try {
    return await pRetry(work, {
      retries: RETRIES,
      minTimeout: FIRST_RETRY_MS,
      ...(signal === undefined ? {} : { signal }),
      shouldRetry: ({ error }) => isTransient(error),
    });
  } catch (error) {
    if (signal?.aborted || error instanceof StepFailed) throw error;
    throw new StepFailed(`${uri} cannot be fetched: ${failureText(error)}`, { cause: error });
  }
};

interface FoundArtefact {
  from: ArtefactStore;
  object: StoredObject;
}

const findArtefact = async (store: ArtefactStore | undefined, uri: string): Promise<FoundArtefact> => {
  if (store === undefined) {
    throw new StepFailed(`${uri} is in an object storage, and this service is connected to none`);
  }
  const object = await store.find(keyIn(store, uri));
  if (object === null) throw new StepFailed(`there is no object ${uri}`);
  return { from: store, object };
};

const readFirstBytes = async (body: Readable): Promise<Buffer> => {
  let bytes = Buffer.alloc(0);
  for await (const chunk of body) {
    bytes = Buffer.concat([bytes, Buffer.from(chunk)]);
    if (bytes.length >= BEGINNING_BYTES) break;
  }
  return bytes.subarray(0, BEGINNING_BYTES);
};

/** The beginning of an object for the engines; no more of it is read. Throws `StepFailed`. */
export const readObjectBeginning = async (store: ArtefactStore | undefined, uri: string): Promise<ArtefactBeginning> =>
  trying(uri, async () => {
    const { from, object } = await findArtefact(store, uri);
    const { key, size_bytes } = object;
    return { name: basename(key), size_bytes, first_bytes: await readFirstBytes(await from.get(key)) };
  });

const isThere = async (path: string, { size_bytes }: StoredObject): Promise<boolean> => {
  const found = await stat(path).catch(() => null);
  return found?.size === size_bytes;
};

/** Passes data on, counting and hashing it. */
const meter = () => {
  const hash = createHash('sha256');
  let size_bytes = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      size_bytes += chunk.length;
      done(null, chunk);
    },
  });
  return { stream, read: () => ({ size_bytes, sha256: hash.digest('hex') }) };
};

/**
 * Caches objects below `dir`, named and verified by their SHA-256; each copy is complete or absent. The caller has to
 * link or copy the file soon: a copy that was not requested for an hour is deleted.
 */
export const createArtefactCache = ({
  dir,
  store,
  unused_ms = UNUSED_MS,
}: {
  dir: string;
  store: ArtefactStore | undefined;
  unused_ms?: number;
}): FetchArtefact => {
  const coming = new Map<string, Promise<void>>();

  const clear = async (): Promise<void> => {
    for (const name of await readdir(dir)) {
      const path = join(dir, name);
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
      if (Date.now() - mtimeMs > unused_ms) await rm(path, { recursive: true, force: true });
    }
  };

  let timer: NodeJS.Timeout | null = null;
  /** Clears after an hour without a request: there may never be another one. */
  const clearLater = (): void => {
    timer ??= setTimeout(() => void clear().catch(() => undefined), unused_ms + 1000).unref();
    timer.refresh();
  };

  const download = async ({ from, object }: FoundArtefact, path: string, signal?: AbortSignal): Promise<void> => {
    const temporary = join(dir, `${randomUUID()}.part`);
    const { stream, read } = meter();
    try {
      const body = await from.get(object.key);
      // Opened only now: earlier, its errors would be unhandled, and it would stay open while the object is requested.
      const file = createWriteStream(temporary, { flags: 'wx' });
      await pipeline(body, stream, file, signal === undefined ? {} : { signal });
      const { size_bytes, sha256 } = read();
      if (size_bytes !== object.size_bytes || sha256 !== object.sha256) {
        throw new StepFailed(`${object.key} was replaced or damaged while it was fetched`);
      }
      await mkdir(join(dir, object.sha256), { recursive: true });
      await moveIntoPlace(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  };

  /** One download per file for all concurrent callers; where the first of them aborts, the others start again. */
  const bring = (found: FoundArtefact, path: string, signal?: AbortSignal): Promise<void> => {
    const already = coming.get(path);
    if (already) return already;
    const work = clear()
      .then(() => download(found, path, signal))
      .finally(() => coming.delete(path));
    coming.set(path, work);
    return work;
  };

  const fetchOnce = async (uri: string, signal?: AbortSignal): Promise<string> => {
    const found = await findArtefact(store, uri);
    const { object } = found;
    await mkdir(dir, { recursive: true });
    const folder = join(dir, object.sha256);
    const path = join(folder, basename(object.key));
    if (!(await isThere(path, object))) await bring(found, path, signal);
    const now = new Date();
    await utimes(folder, now, now);
    clearLater();
    return path;
  };

  return (uri, signal) => trying(uri, () => fetchOnce(uri, signal), signal);
};
