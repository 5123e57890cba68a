import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { notFound, Rejected } from '../errors.ts';
import { newUuid } from '../events/ids.ts';
import { codeOf } from '../failures/failure-code.ts';
import type { ObjectStore, StoredObject } from '../ports/object-store.ts';
import { moveIntoPlace } from '../resilience/atomic-file.ts';
import { assertObjectKey } from './object-key.ts';

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** Metadata of an object, stored beside it. */
const Facts = z.object({ size_bytes: z.number(), sha256: z.string() });

const isMissing = (error: unknown): boolean => codeOf(error) === 'ENOENT';

const storageFailure = (error: unknown): Rejected =>
  FULL.has(codeOf(error))
    ? new Rejected('unavailable', 'storage-full', 'The object storage is full.', {
        hint: 'Free some space on the disk that holds the data directory, then try again.',
        cause: error,
      })
    : new Rejected('unavailable', 'storage-unavailable', 'The object storage cannot be used.', { cause: error });

/** Converts errors of the file system to failures of the storage; an error of the upload stays as it is. */
const onDisk = async <Result>(work: Promise<Result>): Promise<Result> => {
  try {
    return await work;
  } catch (error) {
    throw storageFailure(error);
  }
};

/** Writes `body`, counting and hashing. Stops reading as soon as it is larger than `maxBytes`. */
const writeBody = async (file: FileHandle, body: Readable, maxBytes: number) => {
  const hash = createHash('sha256');
  let size_bytes = 0;
  for await (const chunk of body) {
    const bytes = Buffer.from(chunk);
    size_bytes += bytes.length;
    if (size_bytes > maxBytes)
      throw new Rejected('too-large', 'upload-too-large', `The file is larger than ${maxBytes} bytes.`);
    hash.update(bytes);
    await onDisk(file.writeFile(bytes));
  }
  // Before its turn to be moved into place, so that a large file does not keep the others waiting.
  await onDisk(file.sync());
  return { size_bytes, sha256: hash.digest('hex') };
};

/**
 * Objects as files below `dir`: `objects/<key>`, and `facts/<key>.json` with size and SHA-256. A file gets its final
 * name only once it is complete and synced. What a crash left in `incoming` is removed here, so only one process at a
 * time may use `dir`.
 */
export const createDiskObjects = async (options: { dir: string }): Promise<ObjectStore> => {
  const root = resolve(options.dir);
  const incoming = join(root, 'incoming');
  await rm(incoming, { recursive: true, force: true });
  await mkdir(incoming, { recursive: true });

  const pathOf = (key: string): string => {
    assertObjectKey(key);
    return join(root, 'objects', key);
  };
  const factsPathOf = (key: string): string => join(root, 'facts', `${key}.json`);

  const keep = async (key: string, temporary: string, facts: z.infer<typeof Facts>): Promise<void> => {
    const path = pathOf(key);
    const factsPath = factsPathOf(key);
    const temporaryFacts = `${temporary}.json`;
    await mkdir(dirname(path), { recursive: true });
    await mkdir(dirname(factsPath), { recursive: true });
    await writeFile(temporaryFacts, JSON.stringify(facts), { flush: true });
    // Removed first, so that a crash in between leaves no metadata rather than that of the replaced object.
    await rm(factsPath, { force: true });
    await moveIntoPlace(temporary, path);
    await moveIntoPlace(temporaryFacts, factsPath);
  };

  let keeping: Promise<void> = Promise.resolve();
  /**
   * Runs one after the other: otherwise two uploads of one key could end with the object of one and the metadata of the
   * other.
   */
  const storeInSequence = (key: string, temporary: string, facts: z.infer<typeof Facts>): Promise<void> => {
    const kept = keeping.then(() => keep(key, temporary, facts));
    keeping = kept.catch(() => undefined);
    return kept;
  };

  const hashAgain = async (path: string): Promise<z.infer<typeof Facts>> => {
    const hash = createHash('sha256');
    let size_bytes = 0;
    for await (const chunk of createReadStream(path)) {
      size_bytes += chunk.length;
      hash.update(chunk);
    }
    return { size_bytes, sha256: hash.digest('hex') };
  };

  const find = async (key: string): Promise<StoredObject | null> => {
    const path = pathOf(key);
    try {
      const { size } = await stat(path);
      const noted = await readFile(factsPathOf(key), 'utf8')
        .then((text) => Facts.parse(JSON.parse(text)))
        .catch(() => null);
      const facts = noted?.size_bytes === size ? noted : await hashAgain(path);
      return { key, ...facts };
    } catch (error) {
      if (isMissing(error)) return null;
      throw storageFailure(error);
    }
  };

  return {
    async put(key, body, { maxBytes, sha256 }) {
      pathOf(key);
      const temporary = join(incoming, newUuid());
      try {
        const file = await onDisk(open(temporary, 'wx'));
        const facts = await writeBody(file, body, maxBytes).finally(() => file.close());
        if (sha256 !== undefined && sha256.toLowerCase() !== facts.sha256) {
          throw new Rejected('invalid', 'checksum-mismatch', `The file's SHA-256 is ${facts.sha256}, not ${sha256}.`);
        }
        await onDisk(storeInSequence(key, temporary, facts));
        return { key, ...facts };
      } catch (error) {
        // The client gets the refusal at once, and need not send the rest.
        body.destroy();
        await rm(temporary, { force: true });
        await rm(`${temporary}.json`, { force: true });
        throw error;
      }
    },
    async get(key) {
      const path = pathOf(key);
      try {
        return (await open(path, 'r')).createReadStream();
      } catch (error) {
        throw isMissing(error) ? notFound('object', key) : storageFailure(error);
      }
    },
    find,
    async remove(key) {
      const path = pathOf(key);
      await onDisk(rm(path, { force: true }));
      await onDisk(rm(factsPathOf(key), { force: true }));
    },
    uri: (key) => pathToFileURL(pathOf(key)).href,
  };
};
