import { setTimeout as sleep } from 'node:timers/promises';
import { Rejected } from '../errors.ts';
import type { Exchange, Route } from './route.ts';

/** A process takes milliseconds to start the workflow that an answer has named; this is long enough on a bad day. */
const YOUNG_MS = 10_000;
const TIMEOUT_MS = 2_000;
const PAUSE_MS = 25;

/** Milliseconds since 1970 at which a UUIDv7 was made: its first 48 bits. */
const madeAt = (id: string): number => Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);

const isMissing = (error: unknown): boolean => error instanceof Rejected && error.code === 'workflow-not-found';

/**
 * The answer to a command names the workflow before the process has started it. Who asks for it at once is kept waiting
 * for a moment instead of being told that there is none; an id that is not young is answered at once.
 */
export const waitForStartedWorkflow = (route: Route): Route => ({
  ...route,
  handle: async (exchange: Exchange) => {
    const { workflow_id } = exchange.params as { workflow_id: string };
    const isYoung = Math.abs(Date.now() - madeAt(workflow_id)) < YOUNG_MS;
    const end = Date.now() + (isYoung ? TIMEOUT_MS : 0);
    for (;;) {
      try {
        return await route.handle(exchange);
      } catch (error) {
        if (!isMissing(error) || Date.now() >= end) throw error;
        await sleep(PAUSE_MS);
      }
    }
  },
});
