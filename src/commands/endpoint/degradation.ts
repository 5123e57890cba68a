import type { Reason } from '../../events/values.ts';
import type { Observed } from './endpoint-state.ts';
import { reconcile } from './reconcile.ts';

const BAD_STATUSES: ReadonlySet<string> = new Set(['ingress_failed', 'endpoints_failed', 'failed', 'error']);

export interface StatusReport extends Observed {
  status: string;
  message?: string | undefined;
}

interface Desired {
  replicas: number;
  known_workers: readonly string[];
}

/** The report of a deployment that the cluster service does not know. */
export const DEPLOYMENT_MISSING = 'missing';

/** More replicas than are desired. */
const surplusOf = ({ workers }: StatusReport, { replicas: desired, known_workers: known }: Desired): Reason | null => {
  const { surplus, unknown } = reconcile({ desired, known }, workers);
  if (surplus.length === 0) return null;
  const foreign = unknown.length > 0 ? ` Unknown: ${unknown.join(', ')}.` : '';
  const text = `${desired + surplus.length} replicas run, ${desired} are desired.${foreign}`;
  return { code: 'replicas-surplus', message: `${text} The surplus is removed.` };
};

/** Why the endpoint is degraded; null where it is not. */
export const degradationOf = (report: StatusReport, desired: Desired): Reason | null => {
  const { status, replicas, ingress_healthy, message } = report;
  // Of an endpoint that is to be stopped nothing is missing.
  if (desired.replicas === 0) return surplusOf(report, desired);
  const more = message ? ` ${message}` : '';
  if (status === DEPLOYMENT_MISSING) {
    const text = 'The cluster does not know the deployment any more. It is deployed again.';
    return { code: 'deployment-missing', message: text };
  }
  if (replicas.available < desired.replicas) {
    const text = `${replicas.available} of ${desired.replicas} replicas are available.${more}`;
    return { code: 'replicas-missing', message: text };
  }
  if (ingress_healthy === false) {
    return { code: 'ingress-unhealthy', message: `Requests do not reach the endpoint.${more}` };
  }
  if (BAD_STATUSES.has(status)) {
    return { code: 'cluster-reports-failure', message: `The cluster reports ${status}.${more}` };
  }
  return surplusOf(report, desired);
};
