import { setTimeout as sleep } from 'node:timers/promises';
import { Rejected } from '../errors.ts';
import { madeAt } from '../events/ids.ts';
import type { OwnWrites } from './own-writes.ts';
import type { Exchange, Route } from './route.ts';

/**
 * How old a workflow id may be to be waited for: a process starts the workflow within milliseconds, under load within
 * seconds.
 */
const RECENT_MS = 10_000;
const TIMEOUT_MS = 2_000;
const PAUSE_MS = 25;

const isMissing = (error: unknown): boolean => error instanceof Rejected && error.code === 'workflow-not-found';

/**
 * The answer to a command names a workflow before the process has started it. A request for a recent workflow id that
 * is not found yet waits for a moment; an older id is answered at once.
 */
export const waitForStartedWorkflow = (route: Route): Route => ({
  ...route,
  handle: async (exchange: Exchange) => {
    const { workflow_id } = exchange.params as { workflow_id: string };
    const isRecent = Math.abs(Date.now() - madeAt(workflow_id)) < RECENT_MS;
    const end = Date.now() + (isRecent ? TIMEOUT_MS : 0);
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

/** The same for a list: it waits until it can show what the caller's own commands have started. */
export const waitForPromisedWorkflows = (
  route: Route,
  ownWrites: Pick<OwnWrites, 'refresh' | 'upTo' | 'awaits'>,
): Route => ({
  ...route,
  handle: async (exchange: Exchange) => {
    const { user_id } = exchange.caller;
    const end = Date.now() + TIMEOUT_MS;
    while (ownWrites.awaits(user_id) && Date.now() < end) {
      await sleep(PAUSE_MS);
      await ownWrites.refresh();
    }
    return route.handle({ ...exchange, written: ownWrites.upTo(user_id) });
  },
});
