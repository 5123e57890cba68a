import { z } from 'zod';
import { countWorkers, toWorkers } from '../../commands/endpoint/endpoint-report.ts';
import { recordEndpointRecoveryOverdue } from '../../commands/endpoint/internal/record-endpoint-recovery-overdue.ts';
import { recordEndpointReport } from '../../commands/endpoint/internal/record-endpoint-report.ts';
import { type ReportedWorker, WorkersAnswer } from '../../contracts/budcluster.ts';
import type { Recorded } from '../../events/catalog.ts';
import { EndpointId, WorkflowId } from '../../events/ids.ts';
import { after, ask, call } from '../process.ts';
import { createRecovery, type RecoverySignal, recovered, superseded } from '../recovery.ts';

const State = z.object({
  workflow_id: WorkflowId,
  endpoint_id: EndpointId,
  bud_cluster_id: z.string(),
  namespace: z.string(),
  /** The code of the reason why the endpoint became degraded. */
  cause: z.string(),
  deadline: z.string(),
});
type State = z.output<typeof State>;
type Begun = Extract<Recorded, { type: 'EndpointDegraded' | 'EndpointRecoveryOverdue' }>;

/** Below the interval of the checks, so that a check without an answer does not delay the next one. */
const CHECK_TIMEOUT_SECONDS = 45;

/** From `degraded` until the endpoint recovers, is scaled or is deleted. */
export const endpointRecovery = createRecovery<State>({
  kind: 'endpoint-recovery',
  state: State,
  step: { id: 'wait_for_replicas', title: 'Wait until the endpoint has recovered' },
  signalOf: (event) => {
    switch (event.type) {
      case 'EndpointDegraded':
      case 'EndpointRecoveryOverdue':
        return begun(event);
      case 'EndpointRecovered':
        return recovered(event.data.recovery_id);
      case 'EndpointScalingRequested':
        return superseded(event.data.recovery_id, 'The endpoint is being scaled.');
      case 'EndpointDeletionRequested':
        return superseded(event.data.recovery_id, 'The endpoint is being deleted.');
      default:
        return null;
    }
  },
  check: ({ bud_cluster_id, namespace }, at) => {
    const request = { cluster_id: bud_cluster_id, namespace, refresh: true, limit: 100 };
    return call('cluster.list-workers', request, { give_up_at: after(at, CHECK_TIMEOUT_SECONDS) });
  },
  onAnswer: ({ endpoint_id, cause }, { data }) => {
    const listed = WorkersAnswer.safeParse(data.answer);
    if (!listed.success) return null;
    const workers = toWorkers(listed.data.workers);
    const report = { endpoint_id, replicas: countWorkers(workers), workers };
    return ask(recordEndpointReport, { ...report, ...beyondReplicas(listed.data.workers, cause) });
  },
  goneCode: 'endpoint-not-found',
  overdue: ({ endpoint_id, workflow_id }) => ({
    record: ask(recordEndpointRecoveryOverdue, { endpoint_id, workflow_id }),
    message: 'The endpoint did not recover in time. A new workflow continues to check it.',
  }),
});

const begun = ({ data }: Begun): RecoverySignal<State> => {
  if (!data.recovery) return { workflow_id: null };
  const { endpoint_id, deadline, reason } = data;
  const { workflow_id, project_id, user_id, name, bud_cluster_id, namespace, cause } = data.recovery;
  return {
    workflow_id,
    type: 'begun',
    start: {
      state: { workflow_id, endpoint_id, bud_cluster_id, namespace, cause, deadline },
      user_id,
      project_id,
      target: { area: 'endpoint', id: endpoint_id, name },
      message: reason.message,
      deadline,
    },
  };
};

const KNOWN_STATUSES: ReadonlySet<string> = new Set([
  'ready',
  'pending',
  'ingress_failed',
  'endpoints_failed',
  'failed',
  'error',
]);

/**
 * Running replicas do not prove that requests get through, nor that a failure which the cluster reported is over. Both
 * stay as they were until the deployment's own status, which the cluster may add, says otherwise.
 */
const beyondReplicas = (workers: readonly ReportedWorker[], cause: string) => {
  const reported = workers.find(({ deployment_status }) =>
    KNOWN_STATUSES.has(deployment_status ?? ''),
  )?.deployment_status;
  if (reported) return { status: reported, ingress_healthy: reported === 'ready' ? true : null };
  return {
    status: cause === 'cluster-reports-failure' ? 'error' : 'unknown',
    ingress_healthy: cause === 'ingress-unhealthy' ? false : null,
  };
};
