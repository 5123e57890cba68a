import type { ClusterRecovery } from '../../events/cluster-events.ts';
import type { WorkflowId } from '../../events/ids.ts';
import type { ClusterState } from './cluster-state.ts';

/** What looks after the cluster from now on; empty where the cluster service does not know it, or no person registered it. */
export const recoveryOf = (
  { requested_by, name, bud_cluster_id }: ClusterState,
  workflow_id: WorkflowId,
): { recovery?: ClusterRecovery } => {
  if (requested_by === null || bud_cluster_id === null) return {};
  return { recovery: { workflow_id, user_id: requested_by, name, bud_cluster_id } };
};

/** What the fact says that takes the cluster out of `unavailable`: it ends the recovery, if there is one. */
export const endOfRecovery = (state: ClusterState): { recovery_id?: WorkflowId } =>
  state.status === 'unavailable' && state.recovery ? { recovery_id: state.recovery.workflow_id } : {};
