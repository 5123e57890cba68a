import { z } from 'zod';
import { toWorkersReport } from '../../commands/endpoint/endpoint-report.ts';
import { recordEndpointRecoveryOverdue } from '../../commands/endpoint/internal/record-endpoint-recovery-overdue.ts';
import { recordEndpointReport } from '../../commands/endpoint/internal/record-endpoint-report.ts';
import { WorkersAnswer } from '../../contracts/budcluster.ts';
import type { Recorded } from '../../events/catalog.ts';
import { EndpointId, ProjectId, UserId, WorkflowId } from '../../events/ids.ts';
import { after, ask, call } from '../process.ts';
import { createRecovery, type RecoverySignal, type RecoveryState, recoveryIdOf } from '../recovery.ts';

const Known = z.object({
  /** The user who deployed the endpoint and is notified of its recoveries. */
  user_id: UserId,
  project_id: ProjectId,
  name: z.string(),
  /** Null until it is placed. */
  bud_cluster_id: z.string().nullable(),
  /** Null until it is deployed. */
  namespace: z.string().nullable(),
});
/** All that a recovery must know. */
const Deployed = Known.extend({ bud_cluster_id: z.string(), namespace: z.string() });
const Recovery = z.object({
  workflow_id: WorkflowId,
  endpoint_id: EndpointId,
  bud_cluster_id: z.string(),
  namespace: z.string(),
  /** The code of the reason why the endpoint became degraded. */
  cause: z.string(),
  deadline: z.string(),
});
type Known = z.output<typeof Known>;
type Recovery = z.output<typeof Recovery>;
type State = RecoveryState<Known, Recovery>;
type Signal = RecoverySignal<Known, Recovery>;
type Begun = Extract<Recorded, { type: 'EndpointDegraded' | 'EndpointRecoveryOverdue' }>;

/** Below the interval of the checks, so that a check without an answer does not delay the next one. */
const CHECK_TIMEOUT_SECONDS = 45;

/** From `degraded` until the endpoint recovers, is scaled or is deleted. */
export const endpointRecovery = createRecovery({
  kind: 'endpoint-recovery',
  known: Known,
  recovery: Recovery,
  step: { id: 'wait_for_replicas', title: 'Wait until the endpoint has recovered' },
  key: 'endpoint_id',
  facts: [
    'EndpointRequested',
    'EndpointPlaced',
    'EndpointDeployed',
    'EndpointDegraded',
    'EndpointRecoveryOverdue',
    'EndpointRecovered',
    'EndpointBecameUnknown',
    'EndpointRepaired',
    'EndpointScalingRequested',
    'EndpointDeletionRequested',
    'EndpointDeleted',
    'EndpointFailed',
    'EndpointCancelled',
  ],
  signalOf: (event, state): Signal | null => {
    const { known } = state;
    switch (event.type) {
      case 'EndpointRequested': {
        const user_id = UserId.safeParse(event.meta.actor.id).data;
        const { project_id, name } = event.data;
        if (!user_id) return null;
        return { type: 'learned', known: { user_id, project_id, name, bud_cluster_id: null, namespace: null } };
      }
      case 'EndpointPlaced':
        return known && { type: 'learned', known: { ...known, bud_cluster_id: event.data.bud_cluster_id } };
      case 'EndpointDeployed':
        return known && { type: 'learned', known: { ...known, namespace: event.data.namespace } };
      case 'EndpointDegraded':
      case 'EndpointRecoveryOverdue':
        return begun(event, state);
      case 'EndpointRecovered':
        return { type: 'recovered' };
      // Whoever watches all clusters goes on asking, without a workflow for each endpoint.
      case 'EndpointBecameUnknown':
        return { type: 'superseded', message: 'The cluster service does not report: the endpoint is unknown.' };
      case 'EndpointRepaired':
        return known && learnPlace(known, event);
      case 'EndpointScalingRequested':
        return { type: 'superseded', message: 'The endpoint is being scaled.' };
      case 'EndpointDeletionRequested':
        // It goes on as before where the deletion is cancelled in time.
        return { type: 'superseded', message: 'The endpoint is being deleted.' };
      case 'EndpointFailed':
      case 'EndpointCancelled':
        // Its deployment may be tried again.
        return { type: 'superseded', message: 'The endpoint is gone.' };
      case 'EndpointDeleted':
        return { type: 'gone', message: 'The endpoint is gone.' };
    }
  },
  check: ({ bud_cluster_id, namespace }, at) => {
    const request = { cluster_id: bud_cluster_id, namespace, refresh: true, limit: 100 };
    return call('cluster.list-workers', request, { give_up_at: after(at, CHECK_TIMEOUT_SECONDS) });
  },
  onAnswer: ({ endpoint_id, cause }, { data }) => {
    const listed = WorkersAnswer.safeParse(data.answer);
    if (!listed.success) return null;
    const before = {
      status: cause === 'cluster-reports-failure' ? 'error' : 'unknown',
      ingress_healthy: cause === 'ingress-unhealthy' ? false : null,
    };
    return ask(recordEndpointReport, { endpoint_id, ...toWorkersReport(listed.data.workers, before) });
  },
  goneCode: 'endpoint-not-found',
  recordOverdue: ({ endpoint_id }, proof) => ask(recordEndpointRecoveryOverdue, { endpoint_id, ...proof }),
  overdueMessage: 'The endpoint did not recover in time. A new workflow continues to check it.',
});

/** An endpoint that was deployed anew is asked about where it is now. */
const learnPlace = (known: Known, { data }: Extract<Recorded, { type: 'EndpointRepaired' }>): Signal | null => {
  if (!data.deployment) return null;
  const { bud_cluster_id, namespace } = data.deployment;
  return { type: 'learned', known: { ...known, bud_cluster_id, namespace } };
};

const begun = (event: Begun, { known, recovery }: State): Signal | null => {
  const { endpoint_id, deadline, reason, recovery: named } = event.data;
  // An endpoint from before the upgrade has no instance yet, or one that older code left behind: the fact itself tells the
  // same, for older code.
  const subject = Deployed.safeParse(known).data ?? named;
  if (!subject) return null;
  const { user_id, project_id, name, bud_cluster_id, namespace } = subject;
  const overdue = event.type === 'EndpointRecoveryOverdue';
  const cause = overdue ? (recovery?.cause ?? named?.cause ?? reason.code) : reason.code;
  const workflow_id = recoveryIdOf(event, named?.workflow_id);
  return {
    type: 'begun',
    overdue,
    start: {
      known: { user_id, project_id, name, bud_cluster_id, namespace },
      recovery: { workflow_id, endpoint_id, bud_cluster_id, namespace, cause, deadline },
      workflow: { user_id, project_id, target: { area: 'endpoint', id: endpoint_id, name }, deadline },
      message: reason.message,
    },
  };
};
