/**
 * What the facts say of a recovery for the release before this one, whose processes follow it by these fields. Nothing
 * here reads them but `RecordEndpointRecoveryOverdue` as that release asked for it: ADR 13 says when they go.
 */
import type { Recovery } from '../../events/endpoint-events.ts';
import type { WorkflowId } from '../../events/ids.ts';
import type { EndpointState } from './endpoint-state.ts';

/** The recovery that begins; empty where the endpoint is on no cluster, or no person deployed it. */
export const recoveryOf = (
  { project_id, requested_by, name, placement, namespace }: EndpointState,
  { workflow_id, cause }: { workflow_id: WorkflowId; cause: string },
): { recovery?: Recovery } => {
  if (!placement || namespace === null || requested_by === null) return {};
  const { bud_cluster_id } = placement;
  return { recovery: { workflow_id, project_id, user_id: requested_by, name, bud_cluster_id, namespace, cause } };
};

/** The recovery that is over with what takes the endpoint out of `degraded`. */
export const endOfRecovery = (state: EndpointState): { recovery_id?: WorkflowId } =>
  state.status === 'degraded' && state.recovery ? { recovery_id: state.recovery.workflow_id } : {};
