import { defineCall } from './call.ts';
import { changing, whole } from './call-kinds.ts';
import * as contract from './notify.ts';

/** The operations of the notify service that BudApp uses, by name. */
export const notifyCalls = {
  'notify.send': defineCall({
    ...changing,
    app_id: contract.NOTIFY,
    method: 'POST',
    path: () => 'notifications',
    input: contract.NoticeRequest,
    body: whole,
    answer: contract.NoticeAnswer,
  }),
} as const;
