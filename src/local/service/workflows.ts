import type { Logger } from 'pino';
import { v5, v7 } from 'uuid';
import type { z } from 'zod';
import type { NotificationMetadata, WorkflowMetadata } from '../../contracts/asynchronous.ts';
import type { Notification } from '../../contracts/notification.ts';
import type { Closable } from '../../ports/closable.ts';
import type { CallbackOutbox } from './callback.ts';
import { type MessageContent, messageOf, type Sender } from './message.ts';
import { StepFailed } from './step-failed.ts';
import { openWorkflowRecords, type WorkflowRecord } from './workflow-records.ts';

const WORKFLOW_NAMESPACE = '3c0d3b8e-6a53-5b1f-9d0a-0b9e5a4f7c21';

/** What a step came to: the sentence shown to the user, and what the next step needs. */
interface StepOutcome<Value> {
  message: string;
  value: Value;
}

interface Performing {
  /** The service's own id of the workflow. */
  id: string;
  signal: AbortSignal;
  /** Reports STARTED, does the work, reports COMPLETED; or FAILED, which ends the workflow. */
  step<Value>(event: string, work: () => Promise<StepOutcome<Value>>): Promise<Value>;
}

export interface WorkflowKind<Schema extends z.ZodType<{ notification_metadata: NotificationMetadata }>> {
  /** `payload.type` of its messages. */
  type: string;
  workflow_name: string;
  eta_minutes: number;
  steps: readonly { id: string; title: string; description: string }[];
  request: Schema;
  /** Idempotent: work that a stop or a crash interrupted is done again from the start. */
  perform(request: z.output<Schema>, performing: Performing): Promise<unknown>;
  /** `content.result` of the `results` message of a workflow that failed. */
  failure_result: (id: string) => unknown;
}

export interface Workflows<Request> extends Closable {
  /** Starts the work, or where the same workflow was asked for before, answers the same again (and sends its end again). */
  accept(request: Request): Promise<WorkflowMetadata>;
  /** What a workflow came to; undefined where there is none, or it is still running. */
  findResult(id: string): Promise<unknown>;
}

interface Performance<Schema extends z.ZodType<{ notification_metadata: NotificationMetadata }>> {
  kind: WorkflowKind<Schema>;
  sender: Sender;
  record: WorkflowRecord;
  outbox: CallbackOutbox;
  log: Logger;
  signal: AbortSignal;
}

const titleOf = (steps: readonly { id: string; title: string }[], event: string): string =>
  steps.find((step) => step.id === event)?.title ?? event;

const reasonOf = (error: unknown): string =>
  error instanceof StepFailed ? error.message : 'the service failed; its log says why';

/** Does the work, reporting its steps. Answers what ends the workflow; null where it was interrupted and is to be done again. */
const performOnce = async <Schema extends z.ZodType<{ notification_metadata: NotificationMetadata }>>(
  performance: Performance<Schema>,
): Promise<{ closing: Notification[]; result: unknown } | null> => {
  const { kind, sender, record, outbox, log, signal } = performance;
  const request = kind.request.parse(record.request);
  const message = (content: Omit<MessageContent, 'type' | 'title'>): Notification =>
    messageOf(sender, request.notification_metadata, {
      type: kind.type,
      title: titleOf(kind.steps, content.event),
      ...content,
    });
  const failures: Notification[] = [];
  const step: Performing['step'] = async (event, work) => {
    await outbox.publish(message({ event, message: titleOf(kind.steps, event), status: 'STARTED' }));
    try {
      const outcome = await work();
      await outbox.publish(message({ event, message: outcome.message, status: 'COMPLETED' }));
      return outcome.value;
    } catch (error) {
      failures.push(message({ event, message: reasonOf(error), status: 'FAILED' }));
      throw error;
    }
  };
  try {
    await outbox.publish(message({ event: 'eta', message: String(kind.eta_minutes), status: 'RUNNING' }));
    const result = await kind.perform(request, { id: record.id, signal, step });
    return { closing: [message({ event: 'results', message: 'done', status: 'COMPLETED', result })], result };
  } catch (error) {
    if (signal.aborted) return null;
    if (!(error instanceof StepFailed)) {
      log.error({ err: error, workflow_id: record.id }, `${kind.workflow_name} failed`);
    }
    const result = kind.failure_result(record.id);
    const results = message({ event: 'results', message: reasonOf(error), status: 'FAILED', result });
    return { closing: [...failures, results], result };
  }
};

/**
 * Runs one kind of asynchronous request, one workflow at a time. Its state lives in `dir`: a repeated request does not
 * run twice, and what was in flight when the service stopped is done again.
 */
export const openWorkflows = async <
  Schema extends z.ZodType<{ notification_metadata: NotificationMetadata }>,
>(options: {
  kind: WorkflowKind<Schema>;
  sender: Sender;
  dir: string;
  outbox: CallbackOutbox;
  log: Logger;
}): Promise<Workflows<z.output<Schema>>> => {
  const { kind, sender, outbox, log } = options;
  const records = await openWorkflowRecords(options.dir);
  const closing = new AbortController();
  const inFlight = new Set<string>();
  let tail: Promise<void> = Promise.resolve();

  const idOf = (request: z.output<Schema>): string =>
    v5(`${kind.type}:${request.notification_metadata.workflow_id}`, WORKFLOW_NAMESPACE);

  const metadataOf = (id: string): WorkflowMetadata => ({
    object: 'workflow_metadata',
    workflow_id: id,
    workflow_name: kind.workflow_name,
    status: 'PENDING',
    eta: kind.eta_minutes,
    steps: kind.steps.map((step) => ({ ...step })),
  });

  const tell = async (record: WorkflowRecord): Promise<void> => {
    for (const message of record.closing) await outbox.publish({ ...message, id: v7() });
    await records.write({ ...record, status: 'told' });
  };

  const perform = async (record: WorkflowRecord): Promise<void> => {
    const outcome = await performOnce({ kind, sender, record, outbox, log, signal: closing.signal });
    if (outcome === null) return;
    const ended: WorkflowRecord = { ...record, status: 'ended', ...outcome };
    // Kept before it is told: whoever hears of the result may ask for it at once.
    await records.write(ended);
    await tell(ended);
  };

  const proceed = (record: WorkflowRecord): Promise<void> =>
    record.status === 'running' ? perform(record) : tell(record);

  const enqueue = (record: WorkflowRecord): void => {
    inFlight.add(record.id);
    tail = tail
      .then(() => (closing.signal.aborted ? undefined : proceed(record)))
      .catch((error: unknown) => log.error({ err: error, workflow_id: record.id }, 'a workflow could not be ended'))
      .finally(() => inFlight.delete(record.id));
  };

  for (const record of records.interrupted) enqueue(record);

  return {
    async accept(request) {
      const id = idOf(request);
      const wasInFlight = inFlight.has(id);
      const known = await records.find(id);
      if (known !== null && known.status !== 'running') {
        await tell(known);
        return metadataOf(id);
      }
      // Looked at again after the wait: of two requests at once, the second finds the first one's mark.
      if (wasInFlight || inFlight.has(id)) return metadataOf(id);
      inFlight.add(id);
      const record: WorkflowRecord = { id, kind: kind.type, request, status: 'running', closing: [] };
      try {
        await records.write(record);
      } catch (error) {
        inFlight.delete(id);
        throw error;
      }
      enqueue(record);
      return metadataOf(id);
    },
    async findResult(id) {
      const record = await records.find(id);
      return record?.status === 'running' ? undefined : record?.result;
    },
    async close() {
      closing.abort();
      await tail;
    },
  };
};
