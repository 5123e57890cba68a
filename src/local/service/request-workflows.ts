import type { Logger } from 'pino';
import { v5 } from 'uuid';
import type { z } from 'zod';
import type { NotificationMetadata } from '../../contracts/asynchronous.ts';
import type { CallbackOutbox } from './callback.ts';
import type { Sender } from './message.ts';
import type { Plan } from './plan.ts';
import { openRecordFiles } from './workflow-records.ts';
import { createWorkflows, type Workflows } from './workflows.ts';

const WORKFLOW_NAMESPACE = '3c0d3b8e-6a53-5b1f-9d0a-0b9e5a4f7c21';

type AsynchronousRequest = z.ZodType<{ notification_metadata: NotificationMetadata }>;

/** One kind of asynchronous request and its plan; `id` is the service's own id of the workflow. */
export interface RequestKind<Schema extends AsynchronousRequest> {
  /** `payload.type` of its messages, and the name of its workflows. */
  type: string;
  request: Schema;
  planOf(id: string, request: z.output<Schema>): Pick<Plan, 'steps' | 'perform' | 'failure_result' | 'undo'>;
}

const ETA_MINUTES = 1;

/** Performs one kind of request, one at a time; its workflows are files in `dir`. Resumes interrupted ones. */
export const openRequestWorkflows = async <Schema extends AsynchronousRequest>(options: {
  kind: RequestKind<Schema>;
  sender: Sender;
  dir: string;
  outbox: CallbackOutbox;
  log: Logger;
}): Promise<Workflows<z.output<Schema>>> => {
  const { kind, sender, dir, outbox, log } = options;
  const { type, request } = kind;
  const workflows = createWorkflows<z.output<Schema>>({
    records: await openRecordFiles({ dir, kind: type, request, log }),
    idOf: ({ notification_metadata }) => v5(`${type}:${notification_metadata.workflow_id}`, WORKFLOW_NAMESPACE),
    planOf: (id, asked) => ({
      ...{ name: type, type, to: asked.notification_metadata, title: null, eta_minutes: ETA_MINUTES },
      ...kind.planOf(id, asked),
    }),
    wording: {
      sender,
      eta_first: true,
      started: ({ title }) => title,
      fault: () => 'the service failed; its log says why',
    },
    publish: outbox.publish,
    one_at_a_time: true,
    log,
  });
  workflows.resume();
  return workflows;
};
