import type { WorkflowId } from '../../events/ids.ts';
import { type EndpointState, isSettled, type Repair } from './endpoint-state.ts';

/**
 * Whether the endpoint is being deployed by this workflow. A late message of an earlier workflow must change nothing.
 */
export const isBeingDeployed = ({ status, workflow_id }: EndpointState, by: WorkflowId): boolean =>
  workflow_id === by && (status === 'pending' || status === 'placing' || status === 'deploying');

/** Whether the endpoint is being deleted by this workflow. */
export const isBeingDeleted = ({ status, workflow_id }: EndpointState, by: WorkflowId): boolean =>
  workflow_id === by && status === 'deleting';

/** Whether the endpoint is being repaired by this workflow, and nobody has asked for a change since. */
export const isBeingRepaired = (
  state: EndpointState,
  by: WorkflowId,
): state is Extract<EndpointState, { status: 'running' | 'degraded' | 'unknown' }> & { repair: Repair } =>
  isSettled(state) && state.repair?.workflow_id === by && state.repair.under_way;
