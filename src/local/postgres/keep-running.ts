import type { Closable } from '../../ports/closable.ts';
import { type BackoffPolicy, waitForRetry } from '../../resilience/backoff.ts';
import type { PostgresServer } from './postgres-server.ts';

export interface Watch {
  /** The server has ended by itself, and is started again. */
  onEnd?: (lastWords: string) => void;
  onRestart?: () => void;
  /** It could not be started again, and is no longer tried. */
  onLost?: (error: unknown) => void;
}

const PAUSE: BackoffPolicy = { first_ms: 200, longest_ms: 10_000 };
/** About a minute; what holds up a start after a crash (backends on their way out) takes seconds. */
const ATTEMPTS = 10;
/** A server that ended earlier after its start has not recovered, and the count of failures goes on. */
const STABLE_MS = 60_000;

/**
 *     running --(ends by itself)--> waiting --(pause)--> starting --> running
 *                                      ^-----(fails)--------'  '--(`ATTEMPTS` in a row)--> lost
 */
export const keepRunning = (
  first: PostgresServer,
  {
    start,
    pause = PAUSE,
    onEnd,
    onRestart,
    onLost,
  }: Watch & { start: () => Promise<PostgresServer>; pause?: BackoffPolicy },
): Closable => {
  const closing = new AbortController();
  let server: PostgresServer | null = first;
  let failures = 0;

  /** Null where it was closed in the meantime. Throws what the last attempt failed with. */
  const startAgain = async (): Promise<PostgresServer | null> => {
    for (;;) {
      failures += 1;
      await waitForRetry(failures, pause, closing.signal);
      if (closing.signal.aborted) return null;
      try {
        return await start();
      } catch (error) {
        if (failures >= ATTEMPTS) throw error;
      }
    }
  };

  const watch = async (): Promise<void> => {
    while (server !== null) {
      const startedAt = performance.now();
      const lastWords = await server.ended;
      if (closing.signal.aborted) return;
      server = null;
      onEnd?.(lastWords);
      if (performance.now() - startedAt > STABLE_MS) failures = 0;
      if (failures >= ATTEMPTS) throw new Error(`the server keeps ending: ${lastWords}`);
      server = await startAgain();
      if (server !== null && !closing.signal.aborted) onRestart?.();
    }
  };
  const watching = watch().catch((error: unknown) => onLost?.(error));

  return {
    async close(): Promise<void> {
      closing.abort();
      await server?.close();
      await watching;
      // One that was being started when this was called.
      await server?.close();
    },
  };
};
