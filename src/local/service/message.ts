import { v7 } from 'uuid';
import type { NotificationMetadata } from '../../contracts/asynchronous.ts';
import type { Notification, ReportedStepStatus } from '../../contracts/notification.ts';

/** What a message says. `event` is a step id, `eta` (minutes as text, in `message`) or `results`. */
export interface MessageContent {
  /** `payload.type`, for example `deploy_model`. */
  type: string;
  event: string;
  title: string;
  message: string;
  status: ReportedStepStatus;
  result?: unknown;
}

export interface Sender {
  /** For example `budcluster`. */
  source: string;
  /** For example `budClusterMessages`. */
  source_topic: string;
}

/** A message as the platform's services publish it; `to` is null where it belongs to no workflow. */
export const messageOf = (sender: Sender, to: NotificationMetadata | null, content: MessageContent): Notification => ({
  specversion: '1.0',
  id: v7(),
  type: content.type,
  source_topic: sender.source_topic,
  notification_type: 'event',
  name: to?.name ?? 'bud-internal',
  subscriber_ids: to?.subscriber_ids ?? null,
  payload: {
    category: 'internal',
    type: content.type,
    event: content.event,
    workflow_id: to?.workflow_id ?? null,
    source: sender.source,
    content: {
      title: content.title,
      message: content.message,
      status: content.status,
      result: content.result ?? null,
      primary_action: null,
    },
  },
});
