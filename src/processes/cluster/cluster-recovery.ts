import { z } from 'zod';
import { toClusterNodes } from '../../commands/cluster/cluster-report.ts';
import { recordClusterRecoveryOverdue } from '../../commands/cluster/internal/record-cluster-recovery-overdue.ts';
import { recordClusterStatus } from '../../commands/cluster/internal/record-cluster-status.ts';
import { HealthAnswer, NodesAnswer } from '../../contracts/budcluster.ts';
import type { Recorded } from '../../events/catalog.ts';
import { ClusterId, WorkflowId } from '../../events/ids.ts';
import { after, ask, call } from '../process.ts';
import { type CallAnswered, createRecovery, type RecoverySignal, recovered, superseded } from '../recovery.ts';

const State = z.object({ workflow_id: WorkflowId, cluster_id: ClusterId, bud_cluster_id: z.string() });
type State = z.output<typeof State>;
type Begun = Extract<Recorded, { type: 'ClusterBecameUnavailable' | 'ClusterRecoveryOverdue' }>;

/** Both calls of a check together stay below the interval of the checks. */
const CALL_TIMEOUT_SECONDS = 20;

/** From `unavailable` until the cluster says that it is available again, or is deleted. */
export const clusterRecovery = createRecovery<State>({
  kind: 'cluster-recovery',
  state: State,
  step: { id: 'wait_for_cluster', title: 'Wait until the cluster is available again' },
  signalOf: (event) => {
    switch (event.type) {
      case 'ClusterBecameUnavailable':
      case 'ClusterRecoveryOverdue':
        return begun(event);
      case 'ClusterBecameAvailable':
        return recovered(event.data.recovery_id);
      case 'ClusterDeletionRequested':
        return superseded(event.data.recovery_id, 'The cluster is being deleted.');
      default:
        return null;
    }
  },
  check: ({ bud_cluster_id }, at) =>
    call('cluster.health', { cluster_id: bud_cluster_id }, { give_up_at: after(at, CALL_TIMEOUT_SECONDS) }),
  onAnswer: (state, event) => (event.data.call === 'cluster.health' ? onHealth(state, event) : onNodes(state, event)),
  goneCode: 'cluster-not-found',
  overdue: ({ cluster_id, workflow_id }) => ({
    record: ask(recordClusterRecoveryOverdue, { cluster_id, workflow_id }),
    message: 'The cluster did not become available in time. A new workflow continues to check it.',
  }),
});

const begun = ({ data }: Begun): RecoverySignal<State> => {
  if (!data.recovery) return { workflow_id: null };
  const { cluster_id, deadline, reason } = data;
  const { workflow_id, user_id, name, bud_cluster_id } = data.recovery;
  return {
    workflow_id,
    type: 'begun',
    start: {
      state: { workflow_id, cluster_id, bud_cluster_id },
      user_id,
      project_id: null,
      target: { area: 'cluster', id: cluster_id, name },
      message: reason.message,
      deadline,
    },
  };
};

/** An unavailable cluster is available again only when it says so; an unknown status does not count. */
const GOOD_STATUSES: ReadonlySet<string> = new Set(['available', 'ready', 'healthy', 'ok', 'active', 'running']);

const onHealth = ({ bud_cluster_id }: State, { data, at }: CallAnswered) => {
  const status = HealthAnswer.safeParse(data.answer).data?.status?.toLowerCase();
  if (!status || !GOOD_STATUSES.has(status)) return null;
  return call('cluster.nodes', { cluster_id: bud_cluster_id }, { give_up_at: after(at, CALL_TIMEOUT_SECONDS) });
};

const onNodes = ({ cluster_id }: State, { data }: CallAnswered) => {
  const answer = NodesAnswer.safeParse(data.answer);
  if (data.call !== 'cluster.nodes' || !answer.success) return null;
  return ask(recordClusterStatus, { cluster_id, available: true, nodes: toClusterNodes(answer.data.nodes) });
};
