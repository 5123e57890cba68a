import type { Pool } from 'pg';
import { finishIntents } from './intent-queue.ts';

interface Waiting {
  id: string;
  outcome: string;
  done: PromiseWithResolvers<void>;
}

/** One alone waits for no other row, so that a deadlock over several cannot come again. */
const finishAlone = (pool: Pick<Pool, 'query'>, { done, ...one }: Waiting): Promise<void> =>
  finishIntents(pool, [one]).then(done.resolve, done.reject);

/**
 * Ends intents. Those that are done while the database is busy with the ones before are ended together, by one statement:
 * a dispatcher ends about a dozen for each deployment.
 */
export const createFinisher = (pool: Pick<Pool, 'query'>) => {
  let waiting: Waiting[] = [];
  let writing = false;

  const write = async (): Promise<void> => {
    writing = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await finishIntents(pool, batch);
        for (const { done } of batch) done.resolve();
      } catch {
        for (const one of batch) await finishAlone(pool, one);
      }
    }
    writing = false;
  };

  return {
    /** Resolves when it is stored. */
    finish(id: string, outcome: string): Promise<void> {
      const done = Promise.withResolvers<void>();
      waiting.push({ id, outcome, done });
      if (!writing) void write();
      return done.promise;
    },
  };
};
