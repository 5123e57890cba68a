import type { EndpointFact } from '../../events/catalog.ts';
import type { WorkflowId } from '../../events/ids.ts';
import { type EndpointState, isBeingDeployed, isSettled, type Repair } from './endpoint-state.ts';

/**
 * Whether the endpoint is being deployed by this workflow, or what the deployment left is being removed. A late message of
 * an earlier workflow must change nothing.
 */
export const isDeployedBy = (state: EndpointState, by: WorkflowId): boolean =>
  state.workflow_id === by &&
  (isBeingDeployed(state) || (state.status === 'deleting' && state.removes === 'deployment'));

/** Whether the endpoint is being deleted by this workflow. */
export const isBeingDeleted = (
  state: EndpointState,
  by: WorkflowId,
): state is Extract<EndpointState, { status: 'deleting' }> =>
  state.workflow_id === by && state.status === 'deleting' && state.removes === 'endpoint';

/** What the deletion that ended this change waits for: that the change is over. Null: no deletion waits for it. */
export const changeEnded = (state: EndpointState, by: WorkflowId): EndpointFact | null => {
  if (state.status !== 'deleting' || state.ends !== by) return null;
  const { endpoint_id, workflow_id } = state;
  return { type: 'EndpointChangeEnded', data: { endpoint_id, workflow_id, ended_workflow_id: by } };
};

/** Whether the endpoint is being repaired by this workflow, and nobody has asked for a change since. */
export const isBeingRepaired = (
  state: EndpointState,
  by: WorkflowId,
): state is Extract<EndpointState, { status: 'running' | 'degraded' | 'unknown' }> & { repair: Repair } =>
  isSettled(state) && state.repair?.workflow_id === by && state.repair.under_way;
