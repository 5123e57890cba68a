import { z } from 'zod';
import { rejected } from '../../../errors.ts';
import { EndpointId, WorkflowId } from '../../../events/ids.ts';
import { endpointCommand } from '../endpoint-state.ts';
import { observedFields } from '../observed.ts';

export const recordEndpointDeployed = endpointCommand({
  type: 'RecordEndpointDeployed',
  summary: 'Record that an endpoint is deployed',
  permission: 'system',
  data: z.strictObject({
    endpoint_id: EndpointId,
    workflow_id: WorkflowId,
    url: z.string().min(1),
    namespace: z.string().min(1),
    supported_endpoints: z.array(z.string()),
    ...observedFields,
  }),
  target: ({ endpoint_id }) => endpoint_id,
  decide: (data, { status, workflow_id, namespace }) => {
    const isOwn = workflow_id === data.workflow_id;
    // Delivered at least once, so a repeat must change nothing.
    if (isOwn && namespace === data.namespace && (status === 'running' || status === 'degraded')) return [];
    if (isOwn && status === 'deploying') return { type: 'EndpointDeployed', data };
    throw rejected('endpoint-not-deploying', `The endpoint is not being deployed by this workflow: it is ${status}.`);
  },
});
