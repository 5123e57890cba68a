import { z } from 'zod';

/**
 * To whom the service reports. `subscriber_ids` is one user id. `workflow_id` is BudApp's and comes back in every
 * message.
 */
export const NotificationMetadata = z.strictObject({
  name: z.literal('bud-internal'),
  subscriber_ids: z.string().min(1),
  workflow_id: z.string().min(1),
});
export type NotificationMetadata = z.infer<typeof NotificationMetadata>;

/** The pub/sub topic that BudApp listens on. */
export const SOURCE_TOPIC = 'budAppMessages';

/** The two fields that every asynchronous request carries besides its own. */
export const asynchronousFields = {
  notification_metadata: NotificationMetadata,
  source_topic: z.string().min(1),
};

/** One step that an asynchronous call announces; its messages carry `id` as their `event`. */
const AnnouncedStep = z.looseObject({
  id: z.string(),
  title: z.string().nullish(),
  description: z.string().nullish(),
});

/** The immediate answer to an asynchronous request. `workflow_id` is the service's own; `eta` is in minutes. */
export const WorkflowMetadata = z.looseObject({
  object: z.literal('workflow_metadata').optional(),
  workflow_id: z.string(),
  workflow_name: z.string().nullish(),
  status: z.string().nullish(),
  eta: z.number().nullish(),
  steps: z.array(AnnouncedStep).nullish(),
});
export type WorkflowMetadata = z.infer<typeof WorkflowMetadata>;
