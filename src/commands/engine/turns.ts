import { setTimeout as sleep } from 'node:timers/promises';
import { Rejected, rejected, WrongExpectedRevision } from '../../errors.ts';
import { createKeyedQueue } from '../../resilience/keyed-queue.ts';

interface TurnsOptions {
  /** The longest queue of one stream. */
  most?: number;
  /** Milliseconds after which a command is not begun or tried again. */
  timeout_ms?: number;
}

export interface Turns {
  /**
   * Runs `work` after all earlier work on the stream, and again after a conflict with another process. `round` counts from
   * 1 on. Throws `Rejected` `stream-busy` or `concurrent-change`, both with a time for the next attempt.
   */
  take<T>(stream: string, work: (round: number) => Promise<T>): Promise<T>;
  /** The same without a queue, for a stream that only repetitions of one command append to. */
  retry<T>(work: (round: number) => Promise<T>): Promise<T>;
}

const MOST = 500;
const TIMEOUT_MS = 10_000;
const LEAST_ROUNDS = 8;
const LONGEST_PAUSE_MS = 50;
const RETRY_AFTER_SECONDS = 1;

const busy = (): Rejected =>
  new Rejected('unavailable', 'stream-busy', 'Too many changes of the same resource are waiting.', {
    hint: 'Try again in a moment.',
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });

const concurrentChange = (cause: WrongExpectedRevision): Rejected =>
  rejected('concurrent-change', 'Concurrent requests kept changing the resource.', {
    hint: 'Try again.',
    retryAfterSeconds: RETRY_AFTER_SECONDS,
    cause,
  });

/**
 * The changes of one stream, in the order in which they come. Each is based on the one before it, so that those of one
 * process never conflict. Of several processes each has at most one change under way, and repeats it after a conflict.
 */
export const createTurns = ({ most = MOST, timeout_ms = TIMEOUT_MS }: TurnsOptions = {}): Turns => {
  const queue = createKeyedQueue();

  const untilDone = async <T>(work: (round: number) => Promise<T>, deadline: number): Promise<T> => {
    for (let round = 1; ; round += 1) {
      try {
        return await work(round);
      } catch (error) {
        if (!(error instanceof WrongExpectedRevision)) throw error;
        if (round >= LEAST_ROUNDS && performance.now() >= deadline) throw concurrentChange(error);
        await sleep(Math.random() * Math.min(LONGEST_PAUSE_MS, 10 * round));
      }
    }
  };

  return {
    async take(stream, work) {
      if (queue.size(stream) >= most) throw busy();
      const deadline = performance.now() + timeout_ms;
      return queue.run(stream, async () => {
        if (performance.now() > deadline) throw busy();
        return untilDone(work, deadline);
      });
    },
    retry: (work) => untilDone(work, performance.now() + timeout_ms),
  };
};
