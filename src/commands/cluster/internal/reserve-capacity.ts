import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { ClusterId, EndpointId, WorkflowId } from '../../../events/ids.ts';
import { fitsInto } from '../../../events/resources.ts';
import { Resources } from '../../../events/values.ts';
import { assertAvailable, assertFits, clusterCommand, freeCapacity } from '../cluster-state.ts';

export const reserveCapacity = clusterCommand({
  type: 'ReserveCapacity',
  summary: 'Reserve capacity on a cluster for an endpoint',
  permission: 'system',
  data: z.strictObject({
    cluster_id: ClusterId,
    endpoint_id: EndpointId,
    workflow_id: WorkflowId,
    /** All that the endpoint holds from now on, in place of what it held. */
    replicas: z.int().min(0),
    resources: Resources,
  }),
  target: ({ cluster_id }) => cluster_id,
  decide: (data, state) => {
    const { endpoint_id, replicas, resources } = data;
    const held = state.reservations[endpoint_id];
    if (held && isDeepStrictEqual(held, { replicas, resources })) return [];
    // To hold less is always possible: also while the cluster is away, or short of a node.
    if (!held || !fitsInto(resources, held.resources)) {
      assertAvailable(state);
      assertFits(resources, freeCapacity(state, { without: endpoint_id }), state);
    }
    return { type: 'CapacityReserved', data };
  },
});
