import type { ClientBase, Pool } from 'pg';
import type { Logger } from 'pino';
import { notFound } from '../../errors.ts';
import type { ParkedInstanceKey, ProcessOperations } from '../../ports/process-operations.ts';
import { inTransaction } from '../../postgres/transaction.ts';
import type { Process } from '../process.ts';
import {
  dueParked,
  type Instance,
  listParked,
  loadInstance,
  parkedFromNewerVersion,
  skipParkedEvent,
} from './instances.ts';
import { markFirst } from './intent-queue.ts';
import { editWork, readParkedWork, skipIntent, toParkedWork, unparkIntent } from './parked-work.ts';
import { readProgress } from './progress.ts';
import { type HandlerFailure, retryInstance } from './reactions.ts';

export interface OperationsOptions {
  pool: Pool;
  processes: readonly Process[];
  logger: Logger;
  /** Called after a commit that stored intents. Without it, dispatchers find them at their next poll. */
  onIntents?(): void;
}

/** Logs an event on which a process manager threw. */
export const reportHandlerFailure = (logger: Logger, { event, error, ...instance }: HandlerFailure): void => {
  const where = { ...instance, event_type: event.type, position: event.position };
  logger.error({ ...where, err: error }, 'processes: an event cannot be handled; the instance is parked');
};

/** The operations on parked instances and parked work, for operators and for the runner. Any process of the system may call them. */
export const createProcessOperations = ({ pool, processes, logger, onIntents }: OperationsOptions) => {
  const goOn = async (client: ClientBase, instance: Instance): ReturnType<typeof retryInstance> => {
    const manager = processes.find(({ name }) => name === instance.process);
    if (!manager) throw new Error(`there is no process ${instance.process} in this version`);
    return retryInstance(client, manager, instance);
  };

  /** Null: the instance is not parked. */
  const resume = async (
    key: ParkedInstanceKey,
    prepare: (client: ClientBase, instance: Instance) => Promise<void>,
  ): Promise<{ resumed: boolean } | null> => {
    const result = await inTransaction(pool, async (client) => {
      const instance = await loadInstance(client, key);
      if (!instance?.parked) return null;
      await prepare(client, instance);
      return goOn(client, instance);
    });
    if (!result) return null;
    await markFirst(pool, result.waiting);
    if (result.intents > 0) onIntents?.();
    if (result.handlerFailure) reportHandlerFailure(logger, result.handlerFailure);
    return { resumed: result.handlerFailure === null };
  };

  const retry = (key: ParkedInstanceKey) => resume(key, async () => {});

  const operations: ProcessOperations = {
    progress: () => readProgress(pool),
    listParked: () => listParked(pool),
    async retryParked(key) {
      const result = await retry(key);
      if (!result) throw notFound('parked-event', `${key.process}:${key.instance_id}`);
      return result;
    },
    async skipParked(key) {
      const result = await resume(key, skipParkedEvent);
      if (!result) throw notFound('parked-event', `${key.process}:${key.instance_id}`);
      return result;
    },
    listParkedWork: async () => (await readParkedWork(pool)).map(toParkedWork),
    async resumeParkedWork(id, action, record) {
      const [work] = await readParkedWork(pool, id);
      if (!work) throw notFound('parked-event', id);
      const intent = action.action === 'retry' && action.changes ? editWork(work.intent, action.changes) : work.intent;
      await record();
      const done = action.action === 'skip' ? await skipIntent(pool, id) : await unparkIntent(pool, id, intent);
      if (!done) throw notFound('parked-event', id);
      onIntents?.();
    },
  };
  return {
    ...operations,
    /** Retries the instances whose next automatic attempt is due. */
    retryDue: async (): Promise<void> => {
      for (const key of await dueParked(pool)) await retry(key);
    },
    /** Tries those again that an older version parked over a fact that it could not read: this version may know it. */
    retryFromNewerVersion: async (): Promise<void> => {
      const names = processes.map(({ name }) => name);
      for (const key of await parkedFromNewerVersion(pool, names)) await retry(key);
    },
  };
};
