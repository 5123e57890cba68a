import type { Logger } from 'pino';
import { Rejected } from '../errors.ts';
import { toFact } from '../events/catalog.ts';
import type { Closable } from '../ports/closable.ts';
import type { Log } from '../ports/log.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import { type BackoffPolicy, waitForRetry } from '../resilience/backoff.ts';

/** An uploaded file, and the stream of the resource that was to be made of it. */
export interface UploadedFile {
  key: string;
  stream: string;
}

interface Dependencies {
  log: Pick<Log, 'readStream'>;
  objects: Pick<ObjectStore, 'remove'>;
  logger: Logger;
  /** From when on an append that the log reported as failed can no longer arrive. */
  first_check?: BackoffPolicy;
}

/** Longer than the log's own time limits. */
const FIRST_CHECK: BackoffPolicy = { first_ms: 180_000, longest_ms: 3_600_000 };
const CHECKS = 48;

/** Removes the files of uploads whose command failed, and no others. */
export const createUploadCleanup = ({ log, objects, logger, first_check = FIRST_CHECK }: Dependencies) => {
  const closing = new AbortController();

  /** A failure is only logged, so that the caller gets the original answer. */
  const discard = (key: string): Promise<void> =>
    objects.remove(key).catch((error: unknown) => {
      logger.warn({ err: error, key }, 'a file that no model needs could not be removed from the object storage');
    });

  const isUsed = async ({ key, stream }: UploadedFile): Promise<boolean> => {
    for await (const event of log.readStream(stream)) {
      const fact = toFact(event);
      if (fact.type === 'LocalModelUploaded' && fact.data.artefact.object_key === key) return true;
    }
    return false;
  };

  /** Null where the log cannot be read. */
  const look = (file: UploadedFile): Promise<boolean | null> => isUsed(file).catch(() => null);

  const settleLater = async (file: UploadedFile): Promise<void> => {
    for (let check = 1; check <= CHECKS; check += 1) {
      await waitForRetry(check, first_check, closing.signal);
      if (closing.signal.aborted) break;
      const used = await look(file);
      if (used === false) return discard(file.key);
      if (used) return;
    }
    logger.warn({ key: file.key }, 'it could not be settled whether a model needs this file of the object storage');
  };

  return {
    discard,
    /**
     * After a failed command. What the log reported as unavailable may have been appended, or may yet be: such a file is
     * kept until the log tells.
     */
    async settle(file: UploadedFile, error: unknown): Promise<void> {
      const isRefused = error instanceof Rejected && error.kind !== 'unavailable';
      if (isRefused) return discard(file.key);
      const used = await look(file);
      if (used) return;
      if (used === false && !(error instanceof Rejected)) return discard(file.key);
      void settleLater(file);
    },
    async close(): Promise<void> {
      closing.abort();
    },
  } satisfies Closable & Record<string, unknown>;
};

export type UploadCleanup = ReturnType<typeof createUploadCleanup>;
