import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import { Notification } from '../../contracts/notification.ts';
import type { Closable } from '../../ports/closable.ts';
import { writeAtomically } from '../../resilience/atomic-file.ts';
import { waitForRetry } from '../../resilience/backoff.ts';
import { type Deliver, deliverTo } from './delivery.ts';

const BACKOFF = { first_ms: 200, longest_ms: 10_000 };
const ANSWER_TIMEOUT_MS = 15_000;
const MESSAGE_SUFFIX = '.message.json';

/** BudApp's `/notifications`, and the token that the sidecar would send. */
export interface NotificationsAddress {
  url: string;
  token: string;
}

/** The destination of messages, or how they are delivered. */
export type Callback = NotificationsAddress | { deliver: Deliver };

export interface CallbackOutbox extends Closable {
  /**
   * Keeps the message on disk, then delivers it, at least once, after all earlier ones of its workflow. Resolves when
   * it is kept. Messages without a workflow are ordered by their type and what they are about.
   */
  publish(message: Notification): Promise<void>;
}

const Kept = z.object({ published_at: z.number(), message: Notification });
interface Pending extends z.infer<typeof Kept> {
  file: string;
}

/** The subject of a message without a workflow. */
const Subject = z.looseObject({ deployment_name: z.string().optional(), cluster_id: z.string().optional() });

const laneOf = ({ payload, type }: Notification): string => {
  if (payload?.workflow_id) return payload.workflow_id;
  const subject = Subject.safeParse(payload?.content?.result).data;
  return `${payload?.type ?? type ?? ''} ${subject?.deployment_name ?? subject?.cluster_id ?? ''}`;
};

/** Undelivered messages of an earlier run, oldest first. Half-written files of a crash are removed. */
const readPending = async (dir: string): Promise<Pending[]> => {
  const names = (await readdir(dir)).sort();
  const pending: Pending[] = [];
  for (const name of names) {
    const file = join(dir, name);
    if (name.endsWith(MESSAGE_SUFFIX)) pending.push({ file, ...Kept.parse(JSON.parse(await readFile(file, 'utf8'))) });
    else await rm(file, { force: true });
  }
  return pending;
};

const sequenceOf = (pending: Pending | undefined, dir: string): number =>
  pending === undefined ? 0 : Number.parseInt(pending.file.slice(dir.length + 1), 10) + 1;

/**
 * Delivers callbacks as the platform's sidecar does (or has a sidecar do it), and keeps what is not delivered yet in `dir`, one file a message,
 * so that it survives a restart. Messages older than `max_age_ms` are given up.
 */
export const createCallbackOutbox = async (options: {
  dir: string;
  callback: Callback;
  log: Logger;
  max_age_ms?: number;
}): Promise<CallbackOutbox> => {
  const { dir, callback, log, max_age_ms = 86_400_000 } = options;
  const deliverOnce = 'deliver' in callback ? callback.deliver : deliverTo(callback);
  const closing = new AbortController();
  const lanes = new Map<string, Pending[]>();
  const running = new Set<Promise<void>>();
  await mkdir(dir, { recursive: true });

  const attempt = async (message: Notification): Promise<boolean> => {
    try {
      return await deliverOnce(message, AbortSignal.any([closing.signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]));
    } catch (error) {
      log.debug({ err: error, type: message.type }, 'a callback could not be delivered yet');
      return false;
    }
  };

  const deliver = async (pending: Pending): Promise<void> => {
    for (let failures = 1; !(await attempt(pending.message)); failures += 1) {
      if (closing.signal.aborted) return;
      if (Date.now() - pending.published_at > max_age_ms) {
        log.error(
          { type: pending.message.type, workflow_id: laneOf(pending.message) },
          'gave up delivering a callback',
        );
        break;
      }
      await waitForRetry(failures, BACKOFF, closing.signal);
    }
    await rm(pending.file, { force: true });
  };

  const drain = async (lane: string, queue: Pending[]): Promise<void> => {
    for (let next = queue[0]; next !== undefined; next = queue[0]) {
      await deliver(next);
      if (closing.signal.aborted) return;
      queue.shift();
    }
    lanes.delete(lane);
  };

  const enqueue = (pending: Pending): void => {
    const lane = laneOf(pending.message);
    const queue = lanes.get(lane);
    if (queue !== undefined) {
      queue.push(pending);
      return;
    }
    const started = [pending];
    lanes.set(lane, started);
    const work = drain(lane, started).catch((error: unknown) => {
      lanes.delete(lane);
      log.error({ err: error, lane }, 'the callback outbox cannot remove what it delivered');
    });
    running.add(work);
    work.finally(() => running.delete(work));
  };

  const left = await readPending(dir);
  let sequence = sequenceOf(left.at(-1), dir);
  for (const pending of left) enqueue(pending);

  const keep = async (message: Notification): Promise<void> => {
    const name = String(sequence++).padStart(12, '0');
    const kept = { published_at: Date.now(), message };
    const file = join(dir, `${name}${MESSAGE_SUFFIX}`);
    await writeAtomically(file, JSON.stringify(kept));
    enqueue({ file, ...kept });
  };
  let publishing: Promise<void> = Promise.resolve();

  return {
    publish(message) {
      // One at a time, so that messages are stored in the order in which they were published.
      const kept = publishing.then(() => keep(message));
      publishing = kept.catch(() => undefined);
      return kept;
    },
    async close() {
      await publishing;
      closing.abort();
      await Promise.all(running);
    },
  };
};
