import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { EndpointId, WorkflowId } from '../../../events/ids.ts';
import { deadlineAfter } from '../../deadlines.ts';
import { degradationOf } from '../degradation.ts';
import { endpointCommand, isSettled, type Observed } from '../endpoint-state.ts';
import { observedFields } from '../observed.ts';
import { endOfRecovery, recoveryOf } from '../recovery.ts';

const isSame = (before: Observed, { replicas, ingress_healthy, workers }: Observed): boolean =>
  isDeepStrictEqual(before, { replicas, ingress_healthy, workers });

export const recordEndpointReport = endpointCommand({
  type: 'RecordEndpointReport',
  summary: 'Record a status report of the cluster about an endpoint',
  permission: 'system',
  data: z.strictObject({
    endpoint_id: EndpointId,
    /**
     * The cluster service's own status: `ready`, `pending`, `ingress_failed`, `endpoints_failed`, `failed` or `error`;
     * `missing` where it does not know the deployment.
     */
    status: z.string(),
    ...observedFields,
    message: z.string().optional(),
  }),
  target: ({ endpoint_id }) => endpoint_id,
  decide: (report, state, { make, now, deadlines }) => {
    const { endpoint_id, replicas, ingress_healthy, workers } = report;
    const data = { endpoint_id, replicas, ingress_healthy, workers };
    // During a rollout, the rollout's workflow decides the status.
    if (state.status === 'updating')
      return isSame(state.observed, data) ? [] : { type: 'EndpointReplicasReported', data };
    const isStopped = state.status === 'stopped';
    if (!isSettled(state) && !isStopped) return [];
    const reason = degradationOf(report, state);
    // What is reported of an endpoint that is stopped is late, unless replicas are left: they are removed then.
    if (isStopped && !reason) return [];
    if (!reason && state.status !== 'running') {
      return { type: 'EndpointRecovered', data: { ...data, ...endOfRecovery(state) } };
    }
    if (reason && state.status !== 'degraded') {
      const deadline = deadlineAfter(now, deadlines.degraded);
      const recovery = recoveryOf(state, { workflow_id: WorkflowId.parse(make('recovery')), cause: reason.code });
      return { type: 'EndpointDegraded', data: { ...data, reason, deadline, ...recovery } };
    }
    return isSame(state.observed, data) ? [] : { type: 'EndpointReplicasReported', data };
  },
});
