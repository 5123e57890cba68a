import { setTimeout as delay } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import pTimeout, { TimeoutError } from 'p-timeout';
import type { Logger } from 'pino';
import { z } from 'zod';
import { isUnknownPosition } from '../errors.ts';
import { parseStream } from '../events/catalog.ts';
import type { Position, RecordedEvent } from '../events/event.ts';
import { type EventId, UserId } from '../events/ids.ts';
import type { Closable } from '../ports/closable.ts';
import type { Log } from '../ports/log.ts';
import type { Positions } from '../projections/queries/freshness.ts';
import { createOutage } from '../resilience/outage.ts';
import { createPromisedWorkflows } from './promised-workflows.ts';

export interface OwnWritesOptions {
  log: Pick<Log, 'head' | 'subscribe'>;
  /** The position of each read model: what all of them show already needs no waiting. */
  readPositions(): Promise<Positions>;
  /** Called where a command of any process may have changed what the user has access to. */
  onAccessChange(change: { user_id: UserId; area: 'user' | 'project'; position: Position }): void;
  /** Milliseconds for which a request waits for the log; 0: it does not ask the log. */
  timeout_ms: number;
  logger: Logger;
}

/** How far each user has written, whichever process took the command. */
export interface OwnWrites extends Closable {
  /** Records the position that an answer of this process had. */
  wrote(user: UserId, position: Position | null): void;
  /**
   * Resolves when all is known that was in the log at the call. It gives up after `timeout_ms`, and does not wait while
   * the log does not answer: nothing is written then.
   */
  refresh(): Promise<void>;
  /** The position that a read model must have reached to show all that the user has written; null: any. */
  upTo(user: UserId): Position | null;
  /** Whether an answer to the user has named a workflow that no process has started yet. */
  awaits(user: UserId): boolean;
}

/** Users beyond this number share one position. */
const MAX_USERS = 10_000;
const MAX_ANSWERS = 10_000;
const QUIET_MS = 1000;

const later = (a: Position | null, b: Position | null): Position | null => {
  if (a === null || b === null) return a ?? b;
  return a < b ? b : a;
};

/** The users whom a fact names, besides its actor. */
const Named = z.object({ user_id: UserId.optional().catch(undefined), owner_id: UserId.optional().catch(undefined) });

const usersIn = (data: unknown): UserId[] => {
  const named = Named.safeParse(data);
  return [named.data?.user_id, named.data?.owner_id].filter((id) => id !== undefined);
};

/** The slowest of the read models that show anything; null where none does. */
const slowest = (positions: Positions): Position | null => {
  const known = [...positions.values()].filter((position) => position !== null);
  return known.sort()[0] ?? null;
};

/**
 * Reads what the log has gained before a request is answered: the command may have been answered by another process a
 * moment ago.
 */
export const createOwnWrites = (options: OwnWritesOptions): OwnWrites => {
  const { log, readPositions, onAccessChange, timeout_ms, logger } = options;
  const closing = new AbortController();
  const { signal } = closing;
  /** The position up to which `written` is complete; null: the log's start. */
  let seen: Position | null = null;
  /** The id of the event at `seen`, where it has been read. */
  let seenId: EventId | undefined;
  /** The users who are not in `written` have written at most this far. */
  let others: Position | null = null;
  const written = new LRUCache<UserId, Position>({
    max: MAX_USERS,
    dispose: (position, _user, reason) => {
      if (reason === 'evict') others = later(others, position);
    },
  });
  /** The positions of this process's answers, whose changes of access it knows. */
  const answered = new LRUCache<Position, true>({ max: MAX_ANSWERS });
  const workflows = createPromisedWorkflows();
  const outage = createOutage({
    logger,
    failing: (err) => ({ message: 'the log does not say who has written: reads may miss own writes', fields: { err } }),
    working: 'the log says again who has written',
  });

  let isAway = false;

  const giveUp = (error: unknown): void => {
    isAway = true;
    if (!signal.aborted) outage.failed(error);
  };

  const note = (user: UserId, position: Position): void => {
    const known = written.get(user) ?? null;
    if (later(known, position) !== known) written.set(user, position);
  };

  const take = (event: RecordedEvent): void => {
    const { stream, meta, data, position } = event;
    const starter = workflows.started(event);
    if (starter !== null) note(starter, position);
    const area = parseStream(stream)?.area;
    // What processes do on a user's behalf comes later, and the user does not know of it yet.
    const user = meta.actor.type === 'user' ? UserId.safeParse(meta.actor.id).data : undefined;
    if (area === undefined || user === undefined) return;
    note(user, position);
    workflows.promised(event, user);
    if (answered.has(position) || (area !== 'user' && area !== 'project')) return;
    for (const user_id of usersIn(data)) onAccessChange({ user_id, area, position });
  };

  const findBeginning = async (): Promise<void> => {
    const [positions, head] = await Promise.all([readPositions(), log.head()]);
    seen = slowest(positions) ?? head;
  };

  let beginning: Promise<void> | null = null;
  const begin = (): Promise<void> => {
    beginning ??= findBeginning().catch((error) => {
      beginning = null;
      throw error;
    });
    return beginning;
  };

  /** The log goes on from before what was read of it: nobody can wait for what is gone. */
  const forget = (): void => {
    seen = null;
    seenId = undefined;
    beginning = null;
    written.clear();
    others = null;
    answered.clear();
  };

  const readNews = async (): Promise<void> => {
    try {
      await begin();
      for await (const item of log.subscribe({ after: seen ?? 'start', after_id: seenId, live: false, signal })) {
        if (!('caughtUp' in item)) take(item);
        seen = later(seen, item.position);
        seenId = 'caughtUp' in item ? item.event_id : item.id;
      }
      isAway = false;
      outage.ok();
    } catch (error) {
      if (isUnknownPosition(error)) forget();
      giveUp(error);
    }
  };

  /** One timer for all who wait for a read: each error of a time-out that does not happen costs as much as a query. */
  const bounded = (read: Promise<void>): Promise<void> =>
    pTimeout(read, { milliseconds: timeout_ms }).catch((error) => {
      if (!(error instanceof TimeoutError)) throw error;
      giveUp(error);
    });

  let reading: Promise<void> | null = null;
  let answer = Promise.resolve();
  let next: Promise<void> | null = null;

  const startReading = (): Promise<void> => {
    next = null;
    reading = readNews().finally(() => {
      reading = null;
    });
    answer = bounded(reading);
    return answer;
  };

  /** One read at a time. A request that comes during one needs the next, which all who come meanwhile share. */
  const readShared = (): Promise<void> => {
    if (reading === null) return startReading();
    next ??= bounded(reading.then(startReading));
    return next;
  };

  /** Reads what comes while nobody asks, so that the first request after a quiet time has little to read. */
  const readWhileQuiet = async (): Promise<void> => {
    let last = answer;
    while (!signal.aborted) {
      if (answer === last && reading === null) void startReading();
      last = answer;
      await delay(QUIET_MS, undefined, { signal }).catch(() => undefined);
    }
  };

  const quiet = timeout_ms > 0 ? readWhileQuiet() : Promise.resolve();

  return {
    wrote(user, position) {
      if (position === null) return;
      answered.set(position, true);
      note(user, position);
    },
    async refresh() {
      if (timeout_ms === 0 || signal.aborted) return;
      const done = readShared();
      if (!isAway) await done;
    },
    upTo: (user) => (timeout_ms === 0 ? null : (written.get(user) ?? others)),
    awaits: (user) => workflows.isAwaited(user),
    async close() {
      closing.abort();
      await Promise.all([quiet, reading]);
    },
  };
};
