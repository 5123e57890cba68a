import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Rejected } from '../errors.ts';
import { toFact } from '../events/catalog.ts';
import type { Closable } from '../ports/closable.ts';
import type { Log } from '../ports/log.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import { type BackoffPolicy, waitForRetry } from '../resilience/backoff.ts';
import type { PendingUploads, UploadedFile } from './pending-uploads.ts';

interface Dependencies {
  log: Pick<Log, 'readStream'>;
  objects: Pick<ObjectStore, 'remove'>;
  logger: Logger;
  pending: PendingUploads;
  /** From when on an append that the log reported as failed can no longer arrive. */
  first_check?: BackoffPolicy;
}

/** Longer than the log's own time limits. */
const FIRST_CHECK: BackoffPolicy = { first_ms: 180_000, longest_ms: 3_600_000 };
const CHECKS = 48;
const SWEEP_MS = 3_600_000;

/** Removes the files of uploads whose command failed or was never given, and no others. */
export const createUploadCleanup = ({ log, objects, logger, pending, first_check = FIRST_CHECK }: Dependencies) => {
  const closing = new AbortController();

  /** A failure is only logged, so that the caller gets the original answer. The next sweep looks at the file again. */
  const attempt = async (key: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      logger.warn({ err: error, key }, 'an uploaded file could not be settled; it is looked at again');
    }
  };

  const discard = (key: string): Promise<void> =>
    attempt(key, async () => {
      await objects.remove(key);
      await pending.remove(key);
    });

  const keep = (key: string): Promise<void> => attempt(key, () => pending.remove(key));

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
      if (used) return keep(file.key);
    }
    logger.warn({ key: file.key }, 'it could not be settled whether a model needs this file of the object storage');
  };

  /** Settles what an upload has left that ended with its process. */
  const sweep = async (): Promise<void> => {
    for (const file of await pending.listAbandoned()) {
      const used = await look(file);
      if (used !== null) await (used ? keep(file.key) : discard(file.key));
    }
  };

  return {
    /** Before the file is stored. */
    begin: (file: UploadedFile): Promise<void> => pending.add(file),
    discard,
    /** A model was made of the file. */
    keep,
    sweep,
    /** Sweeps now and every hour, until `close`. */
    async watch(): Promise<void> {
      while (!closing.signal.aborted) {
        await sweep().catch((error: unknown) =>
          logger.warn({ err: error }, 'abandoned uploads could not be looked for'),
        );
        await delay(SWEEP_MS, undefined, { signal: closing.signal, ref: false }).catch(() => undefined);
      }
    },
    /**
     * After a failed command. What the log reported as unavailable may have been appended, or may yet be: such a file is
     * kept until the log tells.
     */
    async settle(file: UploadedFile, error: unknown): Promise<void> {
      const isRefused = error instanceof Rejected && error.kind !== 'unavailable';
      if (isRefused) return discard(file.key);
      const used = await look(file);
      if (used) return keep(file.key);
      if (used === false && !(error instanceof Rejected)) return discard(file.key);
      void settleLater(file);
    },
    async close(): Promise<void> {
      closing.abort();
    },
  } satisfies Closable & Record<string, unknown>;
};

export type UploadCleanup = ReturnType<typeof createUploadCleanup>;
