import type { WorkflowId } from '../../events/ids.ts';
import type { EndpointState } from './endpoint-state.ts';

/** Does this workflow, and no later one, deploy the endpoint now? A late message of an old workflow must not matter. */
export const isBeingDeployed = ({ status, workflow_id }: EndpointState, by: WorkflowId): boolean =>
  workflow_id === by && (status === 'pending' || status === 'placing' || status === 'deploying');

/** The same for its deletion. */
export const isBeingDeleted = ({ status, workflow_id }: EndpointState, by: WorkflowId): boolean =>
  workflow_id === by && status === 'deleting';
