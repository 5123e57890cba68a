import type { ClientBase, Pool } from 'pg';
import type { Logger } from 'pino';
import { notFound } from '../../errors.ts';
import type { ParkedInstanceKey, ProcessOperations } from '../../ports/process-operations.ts';
import { inTransaction } from '../../postgres/transaction.ts';
import type { Process } from '../process.ts';
import { dueParked, type Instance, listParked, loadInstance, skipParkedEvent } from './instances.ts';
import { type HandlerFailure, retryInstance } from './reactions.ts';

export interface OperationsOptions {
  pool: Pool;
  processes: readonly Process[];
  logger: Logger;
  /** Called after a commit that left something to do. Where nobody is told, dispatchers find it at their next look. */
  onIntents?(): void;
}

/** Tells whoever is on call what a process cannot digest. */
export const reportHandlerFailure = (logger: Logger, { process, instance_id, event, error }: HandlerFailure): void => {
  const where = { process, instance_id, event_type: event.type, position: event.position };
  logger.error({ ...where, err: error }, 'a process cannot digest an event; its instance is parked');
};

/** What operators, and the runner by itself, do about parked instances; from any process. */
export const createProcessOperations = ({ pool, processes, logger, onIntents }: OperationsOptions) => {
  const goOn = async (client: ClientBase, instance: Instance): ReturnType<typeof retryInstance> => {
    const process = processes.find(({ name }) => name === instance.process);
    if (!process) throw new Error(`there is no process ${instance.process} in this version`);
    return retryInstance(client, process, instance);
  };

  /** Null: the instance is not parked, or not any more. */
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
    if (result.intents > 0) onIntents?.();
    if (result.handlerFailure) reportHandlerFailure(logger, result.handlerFailure);
    return { resumed: result.handlerFailure === null };
  };

  const retry = (key: ParkedInstanceKey) => resume(key, async () => {});

  const operations: ProcessOperations = {
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
  };
  return {
    ...operations,
    /** Tries those again whose next automatic attempt is due. */
    retryDue: async (): Promise<void> => {
      for (const key of await dueParked(pool)) await retry(key);
    },
  };
};
