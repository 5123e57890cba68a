import type { WorkflowId } from '../../events/ids.ts';
import type { EndpointState } from './endpoint-state.ts';

/**
 * Whether the endpoint is being deployed by this workflow. A late message of an earlier workflow must change nothing.
 */
export const isBeingDeployed = ({ status, workflow_id }: EndpointState, by: WorkflowId): boolean =>
  workflow_id === by && (status === 'pending' || status === 'placing' || status === 'deploying');

/** Whether the endpoint is being deleted by this workflow. */
export const isBeingDeleted = ({ status, workflow_id }: EndpointState, by: WorkflowId): boolean =>
  workflow_id === by && status === 'deleting';
