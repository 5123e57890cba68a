import { z } from 'zod';
import { saysAvailable, toClusterNodes } from '../../commands/cluster/cluster-report.ts';
import { recordClusterRecoveryOverdue } from '../../commands/cluster/internal/record-cluster-recovery-overdue.ts';
import { recordClusterStatus } from '../../commands/cluster/internal/record-cluster-status.ts';
import { HealthAnswer, NodesAnswer } from '../../contracts/budcluster.ts';
import type { Recorded } from '../../events/catalog.ts';
import { ClusterId, UserId, WorkflowId } from '../../events/ids.ts';
import { after, ask, call } from '../process.ts';
import { type CallAnswered, createRecovery, type RecoverySignal, recoveryIdOf } from '../recovery.ts';

const Known = z.object({
  /** The user who registered the cluster and is notified of its recoveries. */
  user_id: UserId,
  name: z.string(),
  /** Null until it is registered. */
  bud_cluster_id: z.string().nullable(),
});
/** All that a recovery must know. */
const Registered = Known.extend({ bud_cluster_id: z.string() });
const Recovery = z.object({
  workflow_id: WorkflowId,
  cluster_id: ClusterId,
  bud_cluster_id: z.string(),
  deadline: z.string().optional(),
});
type Known = z.output<typeof Known>;
type Recovery = z.output<typeof Recovery>;
type Signal = RecoverySignal<Known, Recovery>;
type Begun = Extract<Recorded, { type: 'ClusterBecameUnavailable' | 'ClusterRecoveryOverdue' }>;

/** Both calls of a check together stay below the interval of the checks. */
const CALL_TIMEOUT_SECONDS = 20;

/** From `unavailable` until the cluster says that it is available again, or is deleted. */
export const clusterRecovery = createRecovery({
  kind: 'cluster-recovery',
  known: Known,
  recovery: Recovery,
  step: { id: 'wait_for_cluster', title: 'Wait until the cluster is available again' },
  key: 'cluster_id',
  facts: [
    'ClusterRegistrationRequested',
    'ClusterRegistered',
    'ClusterReregistered',
    'ClusterRenamed',
    'ClusterBecameUnavailable',
    'ClusterRecoveryOverdue',
    'ClusterBecameAvailable',
    'ClusterDeletionRequested',
    'ClusterDeleted',
    'ClusterRegistrationFailed',
  ],
  signalOf: (event, { known }): Signal | null => {
    switch (event.type) {
      case 'ClusterRegistrationRequested': {
        const user_id = UserId.safeParse(event.meta.actor.id).data;
        if (!user_id) return null;
        return { type: 'learned', known: { user_id, name: event.data.name, bud_cluster_id: null } };
      }
      case 'ClusterRegistered':
      case 'ClusterReregistered':
        return known && { type: 'learned', known: { ...known, bud_cluster_id: event.data.bud_cluster_id } };
      case 'ClusterRenamed':
        return known && { type: 'learned', known: { ...known, name: event.data.name } };
      case 'ClusterBecameUnavailable':
      case 'ClusterRecoveryOverdue':
        return begun(event, known);
      case 'ClusterBecameAvailable':
        return { type: 'recovered' };
      case 'ClusterDeletionRequested':
        // It goes on as before where the deletion is cancelled in time.
        return { type: 'superseded', message: 'The cluster is being deleted.' };
      case 'ClusterRegistrationFailed':
        // It may be tried again.
        return { type: 'superseded', message: 'The cluster is gone.' };
      case 'ClusterDeleted':
        return { type: 'gone', message: 'The cluster is gone.' };
    }
  },
  check: ({ bud_cluster_id }, at) =>
    call('cluster.health', { cluster_id: bud_cluster_id }, { give_up_at: after(at, CALL_TIMEOUT_SECONDS) }),
  onAnswer: (recovery, event) =>
    event.data.call === 'cluster.health' ? onHealth(recovery, event) : onNodes(recovery, event),
  goneCode: 'cluster-not-found',
  recordOverdue: ({ cluster_id }, proof) => ask(recordClusterRecoveryOverdue, { cluster_id, ...proof }),
  overdueMessage: 'The cluster did not become available in time. A new workflow continues to check it.',
});

const begun = (event: Begun, known: Known | null): Signal | null => {
  const { cluster_id, deadline, reason, recovery: named } = event.data;
  // A cluster from before the upgrade has no instance yet, or one that older code left behind: the fact itself tells the
  // same, for older code.
  const subject = Registered.safeParse(known).data ?? named;
  if (!subject) return null;
  const { user_id, name, bud_cluster_id } = subject;
  const workflow_id = recoveryIdOf(event, named?.workflow_id);
  return {
    type: 'begun',
    overdue: event.type === 'ClusterRecoveryOverdue',
    start: {
      known: { user_id, name, bud_cluster_id },
      recovery: { workflow_id, cluster_id, bud_cluster_id, deadline },
      workflow: { user_id, project_id: null, target: { area: 'cluster', id: cluster_id, name }, deadline },
      message: reason.message,
    },
  };
};

const onHealth = ({ bud_cluster_id }: Recovery, { data, at }: CallAnswered) => {
  if (!saysAvailable(HealthAnswer.safeParse(data.answer).data?.status)) return null;
  return call('cluster.nodes', { cluster_id: bud_cluster_id }, { give_up_at: after(at, CALL_TIMEOUT_SECONDS) });
};

const onNodes = ({ cluster_id }: Recovery, { data }: CallAnswered) => {
  const answer = NodesAnswer.safeParse(data.answer);
  if (data.call !== 'cluster.nodes' || !answer.success) return null;
  return ask(recordClusterStatus, { cluster_id, available: true, nodes: toClusterNodes(answer.data.nodes) });
};
