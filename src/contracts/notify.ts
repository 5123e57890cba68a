import { z } from 'zod';

/** Dapr app id of the service that shows notices to users. */
export const NOTIFY = 'notify';

/** `POST notifications` */
export const NoticeRequest = z.strictObject({
  notification_type: z.literal('event'),
  name: z.literal('bud-notification'),
  subscriber_ids: z.string().min(1),
  payload: z.strictObject({
    category: z.literal('inapp'),
    type: z.string().min(1),
    workflow_id: z.string().min(1),
    source: z.string().min(1),
    content: z.strictObject({
      title: z.string(),
      message: z.string(),
      status: z.string(),
      icon: z.string().nullable(),
      result: z.strictObject({ target_type: z.string(), target_id: z.string() }).nullable(),
    }),
  }),
});
export type NoticeRequest = z.infer<typeof NoticeRequest>;

export const NoticeAnswer = z.looseObject({ message: z.string().nullish() });
