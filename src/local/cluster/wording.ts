import { failureText } from '../../failures/failure-text.ts';
import type { Wording } from '../service/workflow-messages.ts';

export const SENDER = { source: 'budcluster', source_topic: 'budClusterMessages' };

export const WORDING: Wording = {
  sender: SENDER,
  eta_first: false,
  started: ({ description }) => description,
  fault: failureText,
};
