import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { EndpointId, WorkflowId } from '../../../events/ids.ts';
import type { Reason } from '../../../events/values.ts';
import { deadlineAfter } from '../../deadlines.ts';
import { endpointCommand, isSettled, type Observed } from '../endpoint-state.ts';
import { observedFields } from '../observed.ts';
import { reconcile } from '../reconcile.ts';
import { endOfRecovery, recoveryOf } from '../recovery.ts';

const BAD_STATUSES: ReadonlySet<string> = new Set(['ingress_failed', 'endpoints_failed', 'failed', 'error']);

interface Report extends Observed {
  status: string;
  message?: string | undefined;
}

interface Desired {
  replicas: number;
  known_workers: readonly string[];
}

/** The report of a deployment that the cluster service does not know. */
export const DEPLOYMENT_MISSING = 'missing';

/** Why the endpoint is degraded; null where it is not. */
const degradationOf = (report: Report, { replicas: desired, known_workers: known }: Desired): Reason | null => {
  const { status, replicas, ingress_healthy, message, workers } = report;
  const more = message ? ` ${message}` : '';
  if (status === DEPLOYMENT_MISSING) {
    const text = 'The cluster does not know the deployment any more. It is deployed again.';
    return { code: 'deployment-missing', message: text };
  }
  if (replicas.available < desired) {
    return { code: 'replicas-missing', message: `${replicas.available} of ${desired} replicas are available.${more}` };
  }
  if (ingress_healthy === false) {
    return { code: 'ingress-unhealthy', message: `Requests do not reach the endpoint.${more}` };
  }
  if (BAD_STATUSES.has(status)) {
    return { code: 'cluster-reports-failure', message: `The cluster reports ${status}.${more}` };
  }
  const { surplus, unknown } = reconcile({ desired, known }, workers);
  if (surplus.length > 0) {
    const foreign = unknown.length > 0 ? ` Unknown: ${unknown.join(', ')}.` : '';
    const text = `${desired + surplus.length} replicas run, ${desired} are desired.${foreign}`;
    return { code: 'replicas-surplus', message: `${text} The surplus is removed.` };
  }
  return null;
};

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
    // During a rollout, the rollout's workflow decides the status.
    if (!isSettled(state)) return [];
    const { endpoint_id, replicas, ingress_healthy, workers } = report;
    const data = { endpoint_id, replicas, ingress_healthy, workers };
    const reason = degradationOf(report, state);
    if (!reason && state.status !== 'running') {
      return { type: 'EndpointRecovered', data: { ...data, ...endOfRecovery(state) } };
    }
    if (reason && state.status !== 'degraded') {
      const deadline = deadlineAfter(now, deadlines.degraded);
      const recovery = recoveryOf(state, { workflow_id: WorkflowId.parse(make('recovery')), cause: reason.code });
      return { type: 'EndpointDegraded', data: { ...data, reason, deadline, ...recovery } };
    }
    const isSame = isDeepStrictEqual(state.observed, { replicas, ingress_healthy, workers });
    return isSame ? [] : { type: 'EndpointReplicasReported', data };
  },
});
