import pTimeout from 'p-timeout';
import { Rejected } from '../../errors.ts';
import type { Position } from '../../events/event.ts';
import type { Log } from '../../ports/log.ts';
import type { Hub } from './hub.ts';

/**
 * Where the log ended before the client could know that its stream is open: what the client causes afterwards comes after
 * it. `seen`: the log does not say for now; all frames up to there have been delivered here, and nothing that the client
 * causes is among them.
 */
export type OpenedAt = { head: Position | null } | { seen: Position | null };

/** A stream is opened without the log's answer after this time: a browser's EventSource never asks again after a 503. */
const TIMEOUT_MS = 2000;

/** Opens a stream in good times and while the log is away. */
export const whereOpened = async ({ log, hub }: { log: Pick<Log, 'head'>; hub: Hub }): Promise<OpenedAt> => {
  const seen = hub.seen();
  try {
    const asked = log.head().then((head): OpenedAt => ({ head }));
    return await pTimeout(asked, { milliseconds: TIMEOUT_MS, fallback: (): OpenedAt => ({ seen }) });
  } catch (error) {
    if (error instanceof Rejected && error.kind === 'unavailable') return { seen };
    throw error;
  }
};
