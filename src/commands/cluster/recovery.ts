/**
 * What the facts say of a recovery for the release before this one, whose processes follow it by these fields. Nothing
 * here reads them but `RecordClusterRecoveryOverdue` as that release asked for it: ADR 13 says when they go.
 */
import type { ClusterRecovery } from '../../events/cluster-events.ts';
import type { WorkflowId } from '../../events/ids.ts';
import type { ClusterState } from './cluster-state.ts';

/** The recovery that begins; empty where the cluster service does not know the cluster, or no person registered it. */
export const recoveryOf = (
  { requested_by, name, bud_cluster_id }: ClusterState,
  workflow_id: WorkflowId,
): { recovery?: ClusterRecovery } => {
  if (requested_by === null || bud_cluster_id === null) return {};
  return { recovery: { workflow_id, user_id: requested_by, name, bud_cluster_id } };
};

/** The recovery that is over with what takes the cluster out of `unavailable`. */
export const endOfRecovery = (state: ClusterState): { recovery_id?: WorkflowId } =>
  state.status === 'unavailable' && state.recovery ? { recovery_id: state.recovery.workflow_id } : {};
