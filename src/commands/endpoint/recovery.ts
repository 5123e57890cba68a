import type { Recovery } from '../../events/endpoint-events.ts';
import type { WorkflowId } from '../../events/ids.ts';
import type { EndpointState } from './endpoint-state.ts';

/** What looks after the endpoint from now on; empty where it is on no cluster, or no person deployed it. */
export const recoveryOf = (
  { project_id, requested_by, name, placement, namespace }: EndpointState,
  { workflow_id, cause }: { workflow_id: WorkflowId; cause: string },
): { recovery?: Recovery } => {
  if (!placement || namespace === null || requested_by === null) return {};
  const { bud_cluster_id } = placement;
  return { recovery: { workflow_id, project_id, user_id: requested_by, name, bud_cluster_id, namespace, cause } };
};

/** What the fact says that takes the endpoint out of `degraded`: it ends the recovery, if there is one. */
export const endOfRecovery = (state: EndpointState): { recovery_id?: WorkflowId } =>
  state.status === 'degraded' && state.recovery ? { recovery_id: state.recovery.workflow_id } : {};
