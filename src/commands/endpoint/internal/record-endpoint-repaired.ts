import { z } from 'zod';
import { rejected } from '../../../errors.ts';
import type { EndpointFact } from '../../../events/catalog.ts';
import { EndpointId, WorkflowId } from '../../../events/ids.ts';
import { endpointCommand } from '../endpoint-state.ts';
import { observedFields } from '../observed.ts';
import { endOfRecovery } from '../recovery.ts';
import { isBeingRepaired } from '../rollout.ts';

export const recordEndpointRepaired = endpointCommand({
  type: 'RecordEndpointRepaired',
  summary: 'Record that an endpoint is repaired',
  permission: 'system',
  data: z.strictObject({
    endpoint_id: EndpointId,
    workflow_id: WorkflowId,
    /** Where it was deployed anew; null where it is where it was. */
    deployment: z
      .strictObject({
        bud_cluster_id: z.string().min(1),
        namespace: z.string().min(1),
        url: z.string().min(1),
        supported_endpoints: z.array(z.string()),
      })
      .nullable(),
    ...observedFields,
  }),
  target: ({ endpoint_id }) => endpoint_id,
  decide: (data, state) => {
    const { endpoint_id, deployment, replicas, ingress_healthy, workers } = data;
    // What was deployed anew meanwhile is taken back where the endpoint was changed, or has recovered where it was.
    const isWelcome = deployment === null || state.status !== 'running';
    if (!isBeingRepaired(state, data.workflow_id) || !isWelcome) {
      throw rejected(
        'repair-superseded',
        `The endpoint is not repaired by this workflow any more: it is ${state.status}.`,
      );
    }
    const facts: EndpointFact[] = [{ type: 'EndpointRepaired', data }];
    if (state.status !== 'running' && replicas.available >= state.replicas && ingress_healthy !== false) {
      const observed = { endpoint_id, replicas, ingress_healthy, workers };
      facts.push({ type: 'EndpointRecovered', data: { ...observed, ...endOfRecovery(state) } });
    }
    return facts;
  },
});
