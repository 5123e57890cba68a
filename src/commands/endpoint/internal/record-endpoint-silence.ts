import { z } from 'zod';
import { EndpointId } from '../../../events/ids.ts';
import { deadlineAfter } from '../../deadlines.ts';
import { endpointCommand, isSettled } from '../endpoint-state.ts';
import { endOfRecovery } from '../recovery.ts';

const lastProof = (at: string | null): string =>
  at === null ? 'Nothing is known of it' : `The last report is from ${at}`;

export const recordEndpointSilence = endpointCommand({
  type: 'RecordEndpointSilence',
  summary: 'Record that nothing has been heard of an endpoint for too long',
  permission: 'system',
  data: z.strictObject({ endpoint_id: EndpointId, last_proof_at: z.iso.datetime().nullable() }),
  target: ({ endpoint_id }) => endpoint_id,
  decide: ({ endpoint_id, last_proof_at }, state, { now, deadlines }) => {
    // During a rollout, the deadline of the rollout's workflow counts.
    if (!isSettled(state)) return [];
    const deadline = deadlineAfter(now, deadlines.degraded);
    if (state.status !== 'unknown') {
      const message = `The cluster service does not report on the endpoint. ${lastProof(last_proof_at)}; the next report says what it is.`;
      const data = { endpoint_id, reason: { code: 'no-report', message }, last_proof_at, deadline };
      return { type: 'EndpointBecameUnknown', data: { ...data, ...endOfRecovery(state) } };
    }
    if (Date.parse(now) < Date.parse(state.deadline)) return [];
    const message = `The cluster service still does not report on the endpoint. ${lastProof(last_proof_at)}; it is asked again and again.`;
    return {
      type: 'EndpointReportOverdue',
      data: { endpoint_id, reason: { code: 'report-overdue', message }, deadline },
    };
  },
});
